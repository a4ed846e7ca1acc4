"""The buttons of an alert's card: each asks for a stop or a ban, as if it had been typed.

A button's value is the alert's id, a reference and nothing more: the stream comes from the store,
and the rights of who pressed from the policy.
"""

import re
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.model.commands import Invocation
from bot.operations.alert_offers import AlertChoice
from bot.operations.alert_service import AlertPress, AlertService
from bot.operations.results import Accepted, PressReply, Reply
from handlers.listeners.reason_choice import ReasonChoice, button_press
from handlers.messages.alert_card import ALERT, PICK
from handlers.messages.blocks import Message
from handlers.messages.reason_choice import ButtonPress
from handlers.slack.payloads import button_invocation, text_at
from handlers.slack.responder import Responder

_CHOICES = {choice.value: choice for choice in AlertChoice}
_UNREADABLE = "This button could not be read, so nothing was done."


def register(
    app: AsyncApp, *, alerts: AlertService, responder: Responder, reasons: ReasonChoice
) -> None:
    """Register the buttons of alerts and the list of further streams."""

    async def press(pressed: ButtonPress, asked: Invocation, reason: str) -> PressReply | None:
        choice, id_, position = _meant(pressed)
        if choice is None or not (id_ and position.isdecimal()):
            return None
        of_alert = AlertPress(id_[:64], choice, int(position[:9]), pressed.message_ts)
        return await alerts.press(of_alert, asked, reason)

    def tell(_pressed: ButtonPress, asked: Invocation, reply: Reply) -> None:
        if not isinstance(reply, Accepted) or reply.again:
            responder.queue_ephemeral(asked, responder.render_press(reply))

    async def answer(ack: AsyncAck, body: dict[str, Any], pressed: ButtonPress) -> None:
        invocation = button_invocation(body)
        if invocation is None:
            await ack()
            return
        if not await reasons.answer(ack, pressed, invocation):
            responder.queue_ephemeral(invocation, Message(_UNREADABLE))

    reasons.serve(ALERT, press, tell)
    reasons.serve(PICK, press, tell)

    @app.action(re.compile(rf"{ALERT}:.*"))
    async def choose(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Ask for what the button offers; its card appears in the alert's thread."""
        await answer(ack, body, button_press(body, action))

    @app.action(PICK)
    async def pick(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Ask for a stop of the stream that was chosen in the list."""
        named = text_at(action, "selected_option", "value")
        await answer(ack, body, button_press(body, action, named))


def _meant(pressed: ButtonPress) -> tuple[AlertChoice | None, str, str]:
    """Return what is chosen, the alert's id and the stream's position in it."""
    if pressed.action_id == PICK:
        id_, _, position = pressed.value.partition(":")
        return AlertChoice.STOP, id_, position
    _, _, named = pressed.action_id.partition(":")
    name, _, position = named.partition(":")
    return _CHOICES.get(name), pressed.value, position
