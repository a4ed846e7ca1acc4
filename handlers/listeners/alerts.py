"""The buttons of an alert's card: each asks for a stop or a ban, as if it had been typed.

A button's value is the alert's id, a reference and nothing more: the stream comes from the store,
and the rights of who pressed from the policy.
"""

import re
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.operations.alert_offers import AlertChoice
from bot.operations.alert_service import AlertPress, AlertService
from bot.operations.results import Accepted
from handlers.messages.alert_card import ALERT, PICK
from handlers.messages.blocks import Message
from handlers.slack.payloads import button_invocation, text_at
from handlers.slack.responder import Responder

_CHOICES = {choice.value: choice for choice in AlertChoice}
_UNREADABLE = "This button could not be read, so nothing was done."


def register(app: AsyncApp, *, alerts: AlertService, responder: Responder) -> None:
    """Register the buttons of alerts and the list of further streams."""

    async def answer(
        ack: AsyncAck, body: dict[str, Any], choice: AlertChoice | None, id_: str, position: str
    ) -> None:
        invocation = button_invocation(body)
        if invocation is None or choice is None or not (id_ and position.isdecimal()):
            await ack()
            if invocation is not None:
                responder.queue_ephemeral(invocation, Message(_UNREADABLE))
            return
        ts = text_at(body, "container", "message_ts")
        pressed = AlertPress(id_[:64], choice, int(position[:9]), ts)
        reply = await alerts.press(pressed, invocation)
        await ack()
        if not isinstance(reply, Accepted) or reply.again:
            responder.queue_ephemeral(invocation, responder.render_press(reply))

    @app.action(re.compile(rf"{ALERT}:.*"))
    async def press(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Ask for what the button offers; its card appears in the alert's thread."""
        _, _, named = text_at(action, "action_id").partition(":")
        name, _, position = named.partition(":")
        await answer(ack, body, _CHOICES.get(name), text_at(action, "value"), position)

    @app.action(PICK)
    async def pick(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Ask for a stop of the stream that was chosen in the list."""
        id_, _, position = text_at(action, "selected_option", "value").partition(":")
        await answer(ack, body, AlertChoice.STOP, id_, position)
