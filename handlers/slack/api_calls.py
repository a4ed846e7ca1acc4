"""One call to Slack and what came of it, as data: answered, refused, never sent, or no answer."""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.errors import StopstreamError
from bot.model.people import Place
from handlers.messages.blocks import Message

PATIENCE = 10.0
"""Seconds that a call may take."""

AUTH = frozenset(
    {
        "account_inactive",
        "invalid_auth",
        "invalid_token",
        "missing_scope",
        "no_permission",
        "not_allowed_token_type",
        "not_authed",
        "org_login_required",
        "team_access_not_granted",
        "token_expired",
        "token_revoked",
    }
)
"""Refusals that a new token or a new installation mends."""

_BROKEN = frozenset({"fatal_error", "internal_error", "request_timeout", "service_unavailable"})
"""Codes with which Slack says that it does not know what came of it."""

_GLANCE = 2.0
"""Seconds for looking at a thread before somebody is told something."""

_UNSAID_WAIT = 30.0
_DIGITS = 6
_OK, _TOO_MANY, _BROKEN_FROM = 200, 429, 500


@dataclass(frozen=True, slots=True)
class Answered:
    """Slack did it."""

    data: Mapping[str, Any]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Refused:
    """Slack did not do it.

    Attributes:
        code: Slack's error, e.g. `channel_not_found`; `ratelimited` for every HTTP 429.
        wait: Seconds to wait, where it is `ratelimited`.
    """

    code: str
    wait: float = 0.0

    @property
    def why(self) -> str:
        """Say it in words."""
        return f"Slack refused it ({self.code})"


@dataclass(frozen=True, slots=True)
class NotSent:
    """No connection: it did not reach Slack."""

    why: str


@dataclass(frozen=True, slots=True)
class UnknownOutcome:
    """It left and no usable answer came: Slack may have done it."""

    why: str


Outcome: TypeAlias = Answered | Refused | NotSent | UnknownOutcome


class CallError(StopstreamError):
    """A call that someone waits for did not succeed.

    Attributes:
        outcome: How it failed.
    """

    def __init__(self, outcome: Refused | NotSent | UnknownOutcome) -> None:
        super().__init__(outcome.why)
        self.outcome = outcome


async def call(request: Awaitable[AsyncSlackResponse], seconds: float = PATIENCE) -> Outcome:
    """Await one call of the Web API."""
    try:
        async with asyncio.timeout(seconds):
            response = await request
    except SlackApiError as error:
        return _refusal(error.response)
    except aiohttp.ClientConnectorError as error:
        return NotSent(f"Slack cannot be reached ({type(error).__name__})")
    except (aiohttp.ClientError, OSError, ValueError, AttributeError) as error:
        # AttributeError: the SDK trips over a body that is JSON or text but no object.
        return UnknownOutcome(f"Slack gave no usable answer ({type(error).__name__})")
    data = response.data if isinstance(response.data, dict) else {}
    return Answered(data, response.headers)


async def call_or_raise(
    request: Awaitable[AsyncSlackResponse], seconds: float = PATIENCE
) -> Answered:
    """Await one call that must succeed.

    Raises:
        CallError: It did not.
    """
    outcome = await call(request, seconds)
    if not isinstance(outcome, Answered):
        raise CallError(outcome)
    return outcome


async def reply(
    client: AsyncWebClient, url: str, message: Message, *, instead: bool = False
) -> Outcome:
    """Answer the asker alone through a `response_url`.

    Args:
        instead: In place of the message whose button was pressed.

    Source: https://docs.slack.dev/interactivity/handling-user-interaction
    """
    body = {
        "response_type": "ephemeral",
        "replace_original": instead,
        "text": message.text,
        "blocks": list(message.blocks),
    }
    try:
        async with asyncio.timeout(PATIENCE):
            return await _post(client, url, body)
    except aiohttp.ClientConnectorError as error:
        return NotSent(f"Slack cannot be reached ({type(error).__name__})")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return UnknownOutcome(f"Slack gave no usable answer ({type(error).__name__})")


async def seen_thread(client: AsyncWebClient, place: Place) -> str:
    """Give the thread of a place if Slack shows there what is for one person alone, else nothing.

    It does so only in a thread that has a reply already, so a message that began none has none.
    Where Slack does not say, the channel shows it in any case.

    Source: https://docs.slack.dev/reference/methods/chat.postEphemeral
    """
    if not (place.channel and place.thread_ts):
        return ""
    request = client.conversations_replies(channel=place.channel, ts=place.thread_ts, limit=2)
    outcome = await call(request, _GLANCE)
    found = outcome.data.get("messages") if isinstance(outcome, Answered) else None
    messages = found if isinstance(found, list) else []
    replies = any(isinstance(m, dict) and m.get("ts") != place.thread_ts for m in messages)
    return place.thread_ts if replies else ""


async def upload(client: AsyncWebClient, url: str, content: bytes) -> None:
    """Upload a file's content to the address that Slack gave for it.

    Raises:
        CallError: Slack did not take it.
    """
    outcome: Outcome
    try:
        async with asyncio.timeout(PATIENCE):
            outcome = await _upload(client, url, content)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        outcome = UnknownOutcome(f"Slack did not take the file ({type(error).__name__})")
    if not isinstance(outcome, Answered):
        raise CallError(outcome)


async def _upload(client: AsyncWebClient, url: str, content: bytes) -> Outcome:
    if client.session is None:
        raise ValueError("the client has no session")
    async with client.session.post(url, data=content, allow_redirects=False) as response:
        if response.status == _OK:
            return Answered({}, response.headers)
        return Refused(f"http_{response.status}")


def without_retries(client: AsyncWebClient) -> AsyncWebClient:
    """Give the same client, on the same connections, that sends everything once."""
    return _copied(client, 0)


def with_rate_limit_retries(client: AsyncWebClient) -> AsyncWebClient:
    """Give the same client that waits where Slack says so; nothing else is sent again."""
    return _copied(client, 2)


def _copied(client: AsyncWebClient, retries: int) -> AsyncWebClient:
    copy = AsyncWebClient(
        token=client.token,
        base_url=client.base_url,
        timeout=client.timeout,
        session=client.session,
        retry_handlers=[AsyncRateLimitErrorRetryHandler(retries)] if retries else [],
    )
    copy.proxy = client.proxy
    return copy


async def _post(client: AsyncWebClient, url: str, body: dict[str, Any]) -> Outcome:
    if client.session is None:
        raise ValueError("the client has no session")
    async with client.session.post(url, json=body, allow_redirects=False) as response:
        if response.status == _OK:
            return Answered({}, response.headers)
        if response.status == _TOO_MANY:
            return Refused("ratelimited", _wait(response.headers))
        if response.status >= _BROKEN_FROM:
            return UnknownOutcome(f"Slack answered with HTTP {response.status}")
        return Refused(f"http_{response.status}")


def _refusal(response: object) -> Outcome:
    """Read an error's response, which is Slack's answer or, where it was no JSON, aiohttp's."""
    status: int = getattr(response, "status_code", 0) or getattr(response, "status", 0)
    data = getattr(response, "data", None)
    code = data.get("error") if isinstance(data, dict) else None
    if status == _TOO_MANY or code in ("ratelimited", "rate_limited"):
        return Refused("ratelimited", _wait(getattr(response, "headers", {})))
    if not isinstance(code, str) or not code or code in _BROKEN or status >= _BROKEN_FROM:
        return UnknownOutcome(f"Slack answered with HTTP {status} {code or ''}".rstrip())
    return Refused(code)


def _wait(headers: Mapping[str, str]) -> float:
    said = headers.get("Retry-After", "")
    return (
        float(said) if said.isascii() and said.isdigit() and len(said) < _DIGITS else _UNSAID_WAIT
    )
