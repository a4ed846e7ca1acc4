"""The button under a denial: someone who may not do something requests it from someone who may.

Its value is the id of the denied operation, a reference and nothing more.

Source: https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
"""

from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.operations.results import Accepted
from bot.operations.service import Service
from handlers.messages.annotations import REQUEST
from handlers.slack.payloads import button_invocation, text_at
from handlers.slack.responder import Responder


def register(app: AsyncApp, *, service: Service, responder: Responder) -> None:
    """Register the button."""

    @app.action(REQUEST)
    async def request(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Store the request before the ack; it shows as a card in the channel."""
        invocation = button_invocation(body)
        if invocation is None:
            await ack()
            return
        reply = await service.request(text_at(action, "value")[:64], invocation)
        await ack()
        if isinstance(reply, Accepted):
            # The button has been used.
            responder.queue_replacement(invocation, responder.render_press(reply))
        else:
            responder.queue_ephemeral(invocation, responder.render_press(reply))
