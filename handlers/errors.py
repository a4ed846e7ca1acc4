"""What breaks or fits no handler: a sentence for the asker, a number for the log, never a 500."""

from collections.abc import Mapping
from typing import Any

import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.error import BoltUnhandledRequestError
from slack_bolt.response import BoltResponse

from handlers import views
from handlers.errands import fault_number
from handlers.payloads import text_at

log = structlog.get_logger("stopstream.errors")

UNKNOWN = "I do not know this. `/stopstream help` shows what there is."


def register(app: AsyncApp) -> None:
    """Answer what no handler takes, and what broke in one."""

    @app.error
    async def broke(error: Exception, body: dict[str, Any]) -> BoltResponse:
        """Answer with HTTP 200: Slack shows its own words for anything else."""
        if isinstance(error, BoltUnhandledRequestError):
            log.warning("a request that nothing here takes", kind=_kind(body))
            return _answer(body, UNKNOWN)
        fault = fault_number()
        log.error("a handler broke off", fault=fault, kind=_kind(body), exc_info=error)
        return _answer(
            body,
            f"Something broke inside the bot (fault {fault}). If no card appears, nothing was "
            "sent. Give the number to whoever runs this bot.",
        )


def _answer(body: Mapping[str, Any], sentence: str) -> BoltResponse:
    if "command" in body:
        return BoltResponse(status=200, body={"response_type": "ephemeral", "text": sentence})
    if body.get("type") == "view_submission":
        errors = {"response_action": "errors", "errors": {views.ACTION_BLOCK: sentence}}
        return BoltResponse(status=200, body=errors)
    # Buttons and events have no answer that anyone would see.
    return BoltResponse(status=200, body="")


def _kind(body: Mapping[str, Any]) -> str:
    """Name the sort of a request; nothing of its content."""
    return text_at(body, "event", "type") or text_at(body, "type") or text_at(body, "command")
