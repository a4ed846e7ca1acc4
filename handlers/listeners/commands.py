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
"""The verb that each command implies."""


def register(app: AsyncApp, *, responder: Responder) -> None:
    """Register the slash commands."""

    @app.command("/stopstream")
    async def stopstream(ack: AsyncAck, command: dict[str, Any]) -> None:
        """Store the request, then ack within Slack's 3 s."""
        await _answer(ack, command, Effect.STOP)

    @app.command("/startstream")
    async def startstream(ack: AsyncAck, command: dict[str, Any]) -> None:
        """Store the request, then ack within Slack's 3 s."""
        await _answer(ack, command, Effect.START)

    async def _answer(ack: AsyncAck, command: Mapping[str, Any], verb: Effect) -> None:
        invocation = parse_command(command, verb)
        message = (
            await responder.reply(invocation, trigger_id=invocation.key)
            if invocation
            else Message(MALFORMED)
        )
        if not message.text:
            await ack()
            return
        await ack(text=message.text, blocks=message.blocks, response_type="ephemeral")


def parse_command(command: Mapping[str, Any], verb: Effect) -> Invocation | None:
    """Translate a payload; return None if trigger, user, team or channel is missing."""
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
