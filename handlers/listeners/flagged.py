"""The buttons on the card of flagged content: show its picture, or call it a false alarm.

A button's value is the alert's id, a reference and nothing more. Both ask Slack who presses, so
they are acknowledged first.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.model.commands import Invocation
from bot.operations.moderation import FlagPress, ModerationService
from bot.operations.pictures import Picture
from bot.operations.results import NotRecorded
from handlers.messages.blocks import Message
from handlers.messages.moderation_text import FALSE_ALARM, PICTURE
from handlers.messages.mrkdwn import render_sentence
from handlers.slack.api_calls import send_file
from handlers.slack.background import BackgroundQueue
from handlers.slack.payloads import button_invocation, text_at
from handlers.slack.responder import BUSY, LOOK_UP_FAILED, Responder

_SENT = Message("The picture is in your direct messages with me.")
_BEFORE_IT = "The picture that content moderation has flagged:"
_UNREADABLE = Message("This button could not be read, so nothing was done.")


def register(
    app: AsyncApp,
    *,
    moderation: ModerationService,
    responder: Responder,
    background: BackgroundQueue,
    client: AsyncWebClient,
) -> None:
    """Register the buttons."""
    flags = _Flags(moderation, responder, background, client)

    @app.action(FALSE_ALARM)
    async def false_alarm(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Record it right after the ack; the card shows it."""
        await ack()
        flags.submit("a false alarm", body, action, flags.dismiss)

    @app.action(PICTURE)
    async def picture(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Send the picture to whoever pressed alone, right after the ack."""
        await ack()
        flags.submit("a picture", body, action, flags.show)


class _Flags:
    """Does what a button says, for people who could stop the stream."""

    def __init__(
        self,
        moderation: ModerationService,
        responder: Responder,
        background: BackgroundQueue,
        client: AsyncWebClient,
    ) -> None:
        self._moderation = moderation
        self._responder = responder
        self._background = background
        self._client = client

    async def dismiss(self, pressed: FlagPress, asked: Invocation) -> Message | None:
        """Return what to tell whoever pressed; None where the card says it."""
        refused = await self._moderation.dismiss(pressed, asked)
        return _refusal(refused) if refused else None

    async def show(self, pressed: FlagPress, asked: Invocation) -> Message | None:
        """Send the picture in a direct message; return what to tell whoever pressed."""
        found = await self._moderation.picture(pressed, asked)
        if not isinstance(found, Picture):
            return _refusal(found)
        await send_file(self._client, asked.actor.user, _BEFORE_IT, found.name, found.content)
        return _SENT

    def submit(
        self,
        name: str,
        body: dict[str, Any],
        action: dict[str, Any],
        work: Callable[[FlagPress, Invocation], Awaitable[Message | None]],
    ) -> None:
        """Do it in the background, and tell whoever pressed what came of it."""
        asked, id_ = button_invocation(body), text_at(action, "value")
        if asked is None:
            return
        if not id_:
            self._responder.queue_ephemeral(asked, _UNREADABLE)
            return
        pressed = FlagPress(id_[:64], text_at(body, "container", "message_ts"))

        async def run() -> None:
            if (reply := await work(pressed, asked)) is not None:
                await self._responder.send_ephemeral(asked, reply)

        async def on_failure(fault: str) -> None:
            await self._responder.send_ephemeral(asked, Message(LOOK_UP_FAILED.format(fault=fault)))

        if not self._background.submit(name, run, on_failure):
            self._responder.queue_ephemeral(asked, BUSY)


def _refusal(found: NotRecorded) -> Message:
    return Message(render_sentence(found.sentence))
