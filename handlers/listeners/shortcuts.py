"""The shortcuts: a form from anywhere, and a form filled in from an alert's message.

Source: https://docs.slack.dev/interactivity/implementing-shortcuts
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.commands.alerts import find_candidates
from bot.model.actions import Effect
from bot.model.people import Place
from handlers.messages import views
from handlers.slack.payloads import form_invocation, text_at
from handlers.slack.responder import Responder


def register(app: AsyncApp, *, responder: Responder) -> None:
    """Register the shortcuts; both only open a form."""

    @app.global_shortcut("open_form")
    async def anywhere(ack: AsyncAck, body: dict[str, Any]) -> None:
        """Open the form; it asks for the channel itself."""
        await ack()
        if (invocation := form_invocation(body, Place(""))) is not None:
            responder.open_form(views.FormPlace(Effect.STOP), invocation.key, invocation)

    @app.message_shortcut("stop_in_message")
    async def in_message(ack: AsyncAck, body: dict[str, Any]) -> None:
        """Open the form filled in from the message; the answer goes to that message's thread."""
        await ack()
        message = body.get("message")
        message = message if isinstance(message, Mapping) else {}
        thread_ts = text_at(message, "thread_ts") or text_at(message, "ts")
        channel = text_at(body, "channel", "id")
        invocation = form_invocation(body, Place(channel, thread_ts, text_at(body, "response_url")))
        if invocation is None or not channel:
            return
        place = views.FormPlace(Effect.STOP, channel, thread_ts)
        responder.open_form(
            place, invocation.key, invocation, find=partial(find_candidates, message)
        )
