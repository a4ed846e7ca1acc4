"""Receives Slack's requests over signed HTTP."""

import json
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.signature import Clock, SignatureVerifier

from bot.metrics import Metrics
from bot.off_loop import parse_body
from handlers.slack.payloads import RETRY, kind_of, well_formed

PATH = "/slack/events"

MAX_BODY = 1024 * 1024
"""Bytes of a request that are read."""


class _Clock(Clock):
    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now

    def now(self) -> float:
        return self._now()


def receiver(
    app: AsyncApp,
    *,
    signing_secret: str,
    metrics: Metrics,
    clock: Callable[[], float] = time.time,
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return the handler of Slack's requests: it verifies the signature before it calls Bolt.

    Bolt receives the parsed body, because its own parser raises on malformed input and loses
    commands whose text contains the word `payload`.

    Args:
        app: As returned by `build_app`.
        signing_secret: Not empty.
        clock: Epoch seconds, for the signatures' age.

    Source: https://docs.slack.dev/authentication/verifying-requests-from-slack
    """
    verifier = SignatureVerifier(signing_secret, _Clock(clock))

    async def events(request: web.Request) -> web.Response:
        if (request.content_length or 0) > MAX_BODY:
            return _plain(413, "The request is too large.")
        raw = await request.read()
        if len(raw) > MAX_BODY:
            return _plain(413, "The request is too large.")
        if not _is_signed(verifier, request, raw):
            return _plain(401, "The signature is missing, wrong or too old.")
        body = await parse_body(raw, partial(_parse_body, raw, request.content_type))
        if body is None:
            return _plain(400, "The body is not what Slack sends.")
        bolt_request = AsyncBoltRequest(body=body, headers=_headers(request), mode="socket_mode")
        began = time.perf_counter()
        response = await app.async_dispatch(bolt_request)
        metrics.ack.labels(kind_of(body)).observe(time.perf_counter() - began)
        return _answer(response)

    return events


def _answer(response: BoltResponse) -> web.Response:
    """Return what Bolt answers; its own adapter parses a content type and cookies, too."""
    return web.Response(
        status=response.status,
        body=response.body.encode(),
        headers=response.first_headers_without_set_cookie(),
    )


def _plain(status: int, sentence: str) -> web.Response:
    return web.Response(status=status, text=sentence + "\n")


def _headers(request: web.Request) -> dict[str, str | Sequence[str]]:
    """Return what a listener reads of the headers: nobody has signed them, and Bolt obeys some."""
    again = request.headers.get(RETRY)
    return {} if again is None else {RETRY: again}


def _is_signed(verifier: SignatureVerifier, request: web.Request, raw: bytes) -> bool:
    timestamp = request.headers.get("X-Slack-Request-Timestamp", "")
    signature = request.headers.get("X-Slack-Signature", "")
    # The verifier itself raises on anything but digits, and on letters beyond ASCII.
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):  # noqa: PLR2004
        return False
    return signature.isascii() and _is_utf8(raw) and verifier.is_valid(raw, timestamp, signature)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _parse_body(raw: bytes, content_type: str) -> dict[str, Any] | None:
    """Parse a signed body: JSON for events, a form for commands, JSON in a form for the rest."""
    text = raw.decode()
    try:
        if content_type == "application/json":
            found = json.loads(text)
        else:
            found = dict(parse_qsl(text, keep_blank_values=True))
            if "payload" in found and "command" not in found:
                found = json.loads(found["payload"])
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and well_formed(found) else None
