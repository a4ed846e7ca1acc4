"""The button under a refusal: whoever may not do something asks somebody who may.

Its value is the id of what was refused, a reference and nothing more.

Source: https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
"""

from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.operations.results import Accepted
from bot.operations.service import Service
from handlers.listeners.audit_search import asked
from handlers.messages.annotations import REQUEST
from handlers.slack.payloads import text_at
from handlers.slack.responder import Responder


def register(app: AsyncApp, *, service: Service, answers: Responder) -> None:
    """Take the presses."""

    @app.action(REQUEST)
    async def request(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Put the request on the books before the ack; it shows as a card in the channel."""
        who = asked(body)
        reply = await service.request(text_at(action, "value")[:64], who) if who else None
        await ack()
        if who is not None and reply is not None:
            # Once it is used, the button has nothing left to do.
            tell = answers.tell_instead if isinstance(reply, Accepted) else answers.tell
            tell(who, answers.aside(reply))
