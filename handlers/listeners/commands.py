"""The slash commands: `/stopstream` and `/startstream`.

Source: https://docs.slack.dev/interactivity/implementing-slash-commands
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from slack_bolt.middleware.async_middleware import AsyncMiddleware
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot.model.actions import Effect
from bot.model.commands import Invocation, Via
from bot.model.people import Actor, Place
from handlers.listeners.outsiders import Outsiders, requester
from handlers.messages.mrkdwn import escape
from handlers.messages.replies import MALFORMED
from handlers.slack.payloads import text_at
from handlers.slack.responder import Responder

COMMANDS = {"/stopstream": Effect.STOP, "/startstream": Effect.START}
"""The verb that each command implies."""


class SlashCommands(AsyncMiddleware):
    """Stores what a slash command asks for, then acks within Slack's 3 s.

    A link of Bolt's chain, and not a listener of `app.command`: for a listener Bolt looks up who
    it is itself, and collects some thirty arguments twice, a tenth of the time until the ack.
    """

    def __init__(self, responder: Responder, outsiders: Outsiders) -> None:
        self._responder = responder
        self._outsiders = outsiders

    async def async_process(self, *, req: AsyncBoltRequest, **given: Any) -> BoltResponse | None:
        """Answer a command; let everything else pass.

        Args:
            given: Bolt's `resp`, and its `next`, which calls what comes after.
        """
        verb = COMMANDS.get(text_at(req.body, "command"))
        if verb is None:
            let_pass: Callable[[], Awaitable[BoltResponse | None]] = given["next"]
            return await let_pass()
        ack, invocation = req.context.ack, parse_command(req.body, verb)
        # Also of what lacks something it is seen who sent it.
        actor, place = (invocation.actor, invocation.place) if invocation else requester(req.body)
        denied = self._outsiders.denied(actor, place) if actor is not None else None
        if denied is not None:
            return await ack(text=escape(denied.reason), response_type="ephemeral")
        if invocation is None:
            return await ack(text=MALFORMED, response_type="ephemeral")
        message = await self._responder.reply(invocation, trigger_id=invocation.key)
        if not message.text:
            return await ack()
        return await ack(text=message.text, blocks=message.blocks, response_type="ephemeral")


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
