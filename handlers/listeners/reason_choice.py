"""Asks for one of the policy's reasons where a button lacks one, then presses it with that.

The reason is chosen after the press, so nothing is recorded before; the policy is asked again
when the form is submitted, and a form that was made up says no more than the button did.

Source: https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.model.commands import Command, Invocation, Via
from bot.model.people import Place
from bot.operations.results import PressReply, ReasonMissing, Reply
from bot.operations.service import Service
from handlers.messages.blocks import Message
from handlers.messages.mrkdwn import escape
from handlers.messages.reason_choice import (
    CODE_BLOCK,
    CODE_VALUE,
    REASON_CHOICE,
    ButtonPress,
    decode_press,
    reason_choice,
)
from handlers.slack.api_calls import call_or_raise
from handlers.slack.background import BackgroundQueue
from handlers.slack.payloads import actor_of, message_ts, place_of, text_at
from handlers.slack.responder import Responder

Presser: TypeAlias = Callable[[ButtonPress, Invocation, str], Awaitable[PressReply | None]]
"""Does what a button asks for, for a reason that may be empty; None if it can't be read."""

Teller: TypeAlias = Callable[[ButtonPress, Invocation, Reply], None]
"""Tells the person who pressed what came of it."""

_UNREADABLE = "This form could not be read, so nothing was done."
_NO_REASON = "Choose a reason."
_FORM_FAILED = "The form could not be opened (fault {fault}). Nothing was sent; press again."


class ReasonChoice:
    """The form, and the buttons that can need it."""

    def __init__(
        self,
        *,
        service: Service,
        responder: Responder,
        background: BackgroundQueue,
        client: AsyncWebClient,
    ) -> None:
        self._service = service
        self._responder = responder
        self._background = background
        self._client = client
        self._buttons: dict[str, tuple[Presser, Teller]] = {}

    def serve(self, prefix: str, press: Presser, tell: Teller) -> None:
        """Serve the buttons whose action_id begins with this, up to a colon."""
        self._buttons[prefix] = press, tell

    async def answer(self, ack: AsyncAck, press: ButtonPress, invocation: Invocation) -> bool:
        """Do what a button asks for and ack; where it lacks a reason, open the form.

        Returns:
            Whether the button could be read.
        """
        presser, tell = self._buttons[press.action_id.partition(":")[0]]
        reply = await presser(press, invocation, "")
        await ack()
        if isinstance(reply, ReasonMissing):
            self._open(press, invocation, reply.command)
        elif reply is not None:
            tell(press, invocation, reply)
        return reply is not None

    def register(self, app: AsyncApp) -> None:
        """Register the submission of the form."""

        @app.view(REASON_CHOICE)
        async def chosen(ack: AsyncAck, body: dict[str, Any]) -> None:
            """Do what the button asks for, for the reason that was chosen."""
            problem = await self._submit(body)
            if problem:
                await ack(response_action="errors", errors={CODE_BLOCK: problem})
            else:
                await ack()

    async def _submit(self, body: Mapping[str, Any]) -> str:
        """Press the button with a reason; return what is wrong with the form."""
        press = decode_press(text_at(body, "view", "private_metadata"))
        key, actor = text_at(body, "trigger_id"), actor_of(body)
        served = self._buttons.get(press.action_id.partition(":")[0]) if press else None
        if press is None or served is None or actor is None or not key:
            return _UNREADABLE
        presser, tell = served
        place = Place(press.channel, press.thread_ts)
        invocation = Invocation(key, actor, place, "", Via.BUTTON, None)
        reply = await presser(press, invocation, _chosen(body))
        if reply is None:
            return _UNREADABLE
        if isinstance(reply, ReasonMissing):
            return _NO_REASON
        tell(press, invocation, reply)
        return ""

    def _open(self, press: ButtonPress, invocation: Invocation, command: Command) -> None:
        """Open the form for a member; the reasons of the policy are not for outsiders."""

        async def work() -> None:
            denied = await self._service.queries.outsider(invocation.actor)
            if denied is not None:
                await self._responder.send_ephemeral(invocation, Message(escape(denied.reason)))
                return
            view = reason_choice(press, command, self._service.vocabulary.reasons)
            await call_or_raise(self._client.views_open(trigger_id=invocation.key, view=view))

        async def on_failure(fault: str) -> None:
            await self._responder.send_ephemeral(
                invocation, Message(_FORM_FAILED.format(fault=fault))
            )

        self._background.submit("open the form of reasons", work, on_failure)


def button_press(
    body: Mapping[str, Any], action: Mapping[str, Any], value: str = ""
) -> ButtonPress:
    """Return the press of a button.

    Args:
        value: What it names, where that is not the button's own value.
    """
    place = place_of(body)
    return ButtonPress(
        text_at(action, "action_id"),
        value or text_at(action, "value"),
        place.channel,
        place.thread_ts,
        message_ts(body),
    )


def _chosen(body: Mapping[str, Any]) -> str:
    values = ("view", "state", "values", CODE_BLOCK, CODE_VALUE)
    return text_at(body, *values, "selected_option", "value")
