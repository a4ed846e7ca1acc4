"""The slash commands: `/stopstream` and `/startstream`.

Source: https://docs.slack.dev/interactivity/implementing-slash-commands
"""

from collections.abc import Mapping
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.model.actions import Effect
from bot.model.commands import Invocation, Via
from bot.model.people import Actor, Place
from handlers.messages.blocks import Message
from handlers.messages.replies import MALFORMED
from handlers.slack.payloads import text_at
from handlers.slack.responder import Responder

COMMANDS = {"/stopstream": Effect.STOP, "/startstream": Effect.START}
"""The commands and the verb that each implies."""


def register(app: AsyncApp, *, answers: Responder) -> None:
    """Take the slash commands."""

    @app.command("/stopstream")
    async def stopstream(ack: AsyncAck, command: dict[str, Any]) -> None:
        """Put what was asked on the books, then ack inside Slack's 3 s."""
        await _answer(ack, command, Effect.STOP)

    @app.command("/startstream")
    async def startstream(ack: AsyncAck, command: dict[str, Any]) -> None:
        """Put what was asked on the books, then ack inside Slack's 3 s."""
        await _answer(ack, command, Effect.START)

    async def _answer(ack: AsyncAck, command: Mapping[str, Any], verb: Effect) -> None:
        asked = invocation(command, verb)
        message = await answers.ask(asked, asked.key) if asked else Message(MALFORMED)
        await ack(text=message.text, blocks=message.blocks, response_type="ephemeral")


def invocation(command: Mapping[str, Any], verb: Effect) -> Invocation | None:
    """Translate a payload; None if it lacks what makes a run unique or says who asks where."""
    key, user = text_at(command, "trigger_id"), text_at(command, "user_id")
    team, channel = text_at(command, "team_id"), text_at(command, "channel_id")
    if not (key and user and team and channel):
        return None
    return Invocation(
        key=key,
        actor=Actor(team, user),
        place=Place(channel, reply_url=text_at(command, "response_url")),
        text=text_at(command, "text"),
        via=Via.COMMAND,
        verb=verb,
    )
