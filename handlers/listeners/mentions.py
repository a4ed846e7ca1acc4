"""Mentions of the bot: the same text as a command, answered in that thread.

Source: https://docs.slack.dev/reference/events/app_mention
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest

from bot.model.commands import Invocation, Via
from bot.model.people import Actor, Place
from handlers.messages.blocks import Message
from handlers.slack.payloads import RETRY, text_at
from handlers.slack.responder import Responder

log = structlog.get_logger("stopstream.mentions")

_BOT_SUBTYPES = ("bot_message",)

EDITED = Message(
    "I don't read edited messages again, so nothing was done. Send it as a new message."
)


def register(app: AsyncApp, *, responder: Responder, bot_user: str) -> None:
    """Register mentions of the bot user."""

    @app.event("app_mention")
    async def app_mention(body: dict[str, Any], request: AsyncBoltRequest) -> None:
        """Store the request; Bolt acks once that is done."""
        invocation = parse_mention(body, bot_user)
        if invocation is None:
            return
        # Slack delivers an event again that was not acked in time.
        invocation = replace(invocation, repeated=RETRY in request.headers)
        if "edited" in body["event"]:
            responder.queue_ephemeral(invocation, EDITED)
            return
        await responder.reply_ephemeral(invocation)


def parse_mention(body: Mapping[str, Any], bot_user: str) -> Invocation | None:
    """Translate an event; return None for a bot's message, or if a field is missing.

    A person's mention may have a subtype: `thread_broadcast`, `file_share`, `me_message`, …
    """
    event = body.get("event")
    if not isinstance(event, Mapping):
        log.warning("a mention has no event, so nothing was done")
        return None
    if "bot_id" in event or event.get("subtype") in _BOT_SUBTYPES:
        log.info("a mention by an app is ignored", channel=text_at(event, "channel"))
        return None
    key, user = text_at(body, "event_id"), text_at(event, "user")
    channel, ts = text_at(event, "channel"), text_at(event, "ts")
    team = text_at(event, "user_team") or text_at(event, "team") or text_at(body, "team_id")
    if not (key and user and channel and ts and team):
        log.warning(
            "a mention lacks what makes it unique, so nothing was done",
            subtype=text_at(event, "subtype"),
        )
        return None
    own = re.compile(rf"<@{re.escape(bot_user)}(?:\|[^<>]*)?>")
    return Invocation(
        key=key,
        actor=Actor(team, user),
        place=Place(channel, thread_ts=text_at(event, "thread_ts") or ts),
        text=own.sub(" ", text_at(event, "text")).strip(),
        via=Via.MENTION,
        verb=None,
    )
