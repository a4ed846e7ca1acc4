"""Answers requests that fail or match no listener: a sentence with a number, never a 500."""

from collections.abc import Mapping
from typing import Any

import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.error import BoltUnhandledRequestError
from slack_bolt.listener.async_listener_error_handler import AsyncListenerErrorHandler
from slack_bolt.middleware.async_middleware_error_handler import AsyncMiddlewareErrorHandler
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from handlers.messages import views
from handlers.slack.background import fault_number
from handlers.slack.payloads import text_at

log = structlog.get_logger("stopstream.errors")

UNKNOWN = "I do not know this. `/stopstream help` shows what there is."


def register(app: AsyncApp) -> None:
    """Register the handler of errors and of requests that no listener takes."""
    handler = _ErrorHandler()
    # `app.error` reads the payload in every shape first, and raises on an unexpected one.
    app.listener_runner.listener_error_handler = handler
    app._async_middleware_error_handler = handler  # noqa: SLF001 (see above)


class _ErrorHandler(AsyncListenerErrorHandler, AsyncMiddlewareErrorHandler):
    """Answers with HTTP 200: for anything else Slack shows a message of its own."""

    async def handle(
        self, error: Exception, request: AsyncBoltRequest, response: BoltResponse | None
    ) -> None:
        """Turn an error into an answer, in the response that Bolt sends."""
        body = request.body
        if isinstance(error, BoltUnhandledRequestError):
            log.warning("a request that nothing here takes", kind=_kind(body))
            sentence = UNKNOWN
        else:
            fault = fault_number()
            log.error("a handler broke off", fault=fault, kind=_kind(body), exc_info=error)
            sentence = (
                f"Something broke inside the bot (fault {fault}). If no card appears, nothing "
                "was sent. Give the number to the bot's owner."
            )
        if response is not None:
            answer = BoltResponse(status=200, body=_answer(body, sentence))
            response.status, response.body = answer.status, answer.body
            response.headers = answer.headers


def _answer(body: Mapping[str, Any], sentence: str) -> dict[str, Any] | str:
    if "command" in body:
        return {"response_type": "ephemeral", "text": sentence}
    if body.get("type") == "view_submission":
        return {"response_action": "errors", "errors": {error_field(body): sentence}}
    if body.get("type") == "block_suggestion":
        return {"options": []}
    # Nobody would see an answer to a button or an event.
    return ""


def error_field(body: Mapping[str, Any]) -> str:
    """Return a field of the submitted form: Slack shows no error at a block of another one."""
    view = body.get("view")
    found = view.get("blocks") if isinstance(view, Mapping) else None
    for block in found if isinstance(found, list) else ():
        if text_at(block, "type") == "input" and (name := text_at(block, "block_id")):
            return name
    return views.ACTION_BLOCK


def _kind(body: Mapping[str, Any]) -> str:
    """Return the type of a request, and nothing of its content."""
    return text_at(body, "event", "type") or text_at(body, "type") or text_at(body, "command")
