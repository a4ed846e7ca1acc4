"""The buttons of a request: to ask for it, under a denial, and to see what it touches, on its card.

Their value is an operation's id, a reference and nothing more.

Source: https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
"""

from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.model.commands import Invocation
from bot.model.operations import Choice, Decision
from bot.operations.results import Accepted, PressReply, Reply
from bot.operations.service import Service
from handlers.listeners.reason_choice import ReasonChoice, button_press
from handlers.messages import replies
from handlers.messages.annotations import REQUEST
from handlers.messages.buttons import SHOW
from handlers.messages.reason_choice import ButtonPress
from handlers.slack.payloads import button_invocation, message_ts, text_at
from handlers.slack.responder import Responder


def register(
    app: AsyncApp, *, service: Service, responder: Responder, reasons: ReasonChoice
) -> None:
    """Register the buttons."""

    async def press(pressed: ButtonPress, asked: Invocation, reason: str) -> PressReply:
        return await service.request(pressed.value[:64], asked, reason)

    def tell(_pressed: ButtonPress, asked: Invocation, reply: Reply) -> None:
        if isinstance(reply, Accepted):
            # The button has been used.
            requested = replies.approval_requested(reply.operation)
            shown = responder.render_press(reply) if reply.again else requested
            responder.queue_replacement(asked, shown)
        else:
            responder.queue_ephemeral(asked, responder.render_press(reply))

    reasons.serve(REQUEST, press, tell)

    @app.action(REQUEST)
    async def request(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Store the request before the ack; it shows as a card in the channel."""
        invocation = button_invocation(body)
        if invocation is None:
            await ack()
            return
        await reasons.answer(ack, button_press(body, action), invocation)

    @app.action(SHOW)
    async def show(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Look at it behind the ack, for who pressed alone: others may not read what they may."""
        await ack()
        invocation, id_ = button_invocation(body), text_at(action, "value")[:64]
        if invocation is None or not (id_ and invocation.key):
            return
        press = Decision(
            invocation.key,
            id_,
            Choice.APPROVE,
            invocation.actor,
            invocation.place,
            message_ts=message_ts(body),
        )
        responder.queue_touched(invocation, press)
