"""The buttons of a mistyped command: each runs what was probably meant.

The value is the text of a command. It is parsed and judged under the policy like one that the
presser typed.

Source: https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
"""

import re
from dataclasses import replace
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from handlers.messages.ways_in import SUGGESTED
from handlers.slack.payloads import button_invocation, text_at
from handlers.slack.responder import Responder


def register(app: AsyncApp, *, responder: Responder) -> None:
    """Register the buttons."""

    @app.action(re.compile(rf"{SUGGESTED}:.*"))
    async def run(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Store the request before the ack; its answer takes the place of the mistake."""
        invocation, text = button_invocation(body), text_at(action, "value")
        if invocation is None or not text:
            await ack()
            return
        invocation = replace(invocation, text=text)
        message = await responder.reply(invocation, trigger_id=invocation.key)
        await ack()
        responder.queue_replacement(invocation, message)
