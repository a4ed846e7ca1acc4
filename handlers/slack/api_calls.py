"""One call to Slack and its outcome as data: answered, refused, never sent, or no answer."""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.addresses import is_secure
from bot.errors import StopstreamError
from handlers.messages.blocks import Message

CALL_TIMEOUT = 10.0
"""Seconds that a call may take."""

AUTH_ERRORS = frozenset(
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
"""Refusals that only a new token or a new installation ends."""

AUTH_RETRY_AFTER = 60.0
"""Seconds between two attempts while the token or the installation is refused."""

_UNCLEAR_ERRORS = frozenset(
    {"fatal_error", "internal_error", "request_timeout", "service_unavailable"}
)
"""Codes with which Slack does not know the outcome itself."""

_DEFAULT_WAIT = 30.0
_LONGEST_WAIT = 300.0
"""Seconds that Slack may ask to wait: more would silence a channel for hours."""
_MAX_DIGITS = 6
_OK, _RATE_LIMITED, _SERVER_ERROR = 200, 429, 500


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
        """Return the refusal in words."""
        return f"Slack refused it ({self.code})"


@dataclass(frozen=True, slots=True)
class NotSent:
    """There was no connection: the request did not reach Slack."""

    why: str


@dataclass(frozen=True, slots=True)
class UnknownOutcome:
    """The request was sent and no usable answer came: Slack may have done it."""

    why: str


Outcome: TypeAlias = Answered | Refused | NotSent | UnknownOutcome


class CallError(StopstreamError):
    """A call that must succeed failed.

    Attributes:
        outcome: How it failed.
    """

    def __init__(self, outcome: Refused | NotSent | UnknownOutcome) -> None:
        super().__init__(outcome.why)
        self.outcome = outcome


async def call(request: Awaitable[AsyncSlackResponse], seconds: float = CALL_TIMEOUT) -> Outcome:
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
    request: Awaitable[AsyncSlackResponse], seconds: float = CALL_TIMEOUT
) -> Answered:
    """Await one call that must succeed.

    Raises:
        CallError: It did not.
    """
    outcome = await call(request, seconds)
    if not isinstance(outcome, Answered):
        raise CallError(outcome)
    return outcome


async def respond(
    client: AsyncWebClient, url: str, message: Message, *, replace: bool = False
) -> Outcome:
    """Send an ephemeral message through a `response_url`.

    Args:
        replace: In place of the message whose button was pressed; without a text, delete that.

    Source: https://docs.slack.dev/interactivity/handling-user-interaction
    """
    body: dict[str, Any] = {
        "response_type": "ephemeral",
        "replace_original": replace,
        "text": message.text,
        "blocks": list(message.blocks),
    }
    if replace and not message.text:
        body = {"delete_original": True}
    try:
        async with asyncio.timeout(CALL_TIMEOUT):
            return await _post(client, url, body)
    except aiohttp.ClientConnectorError as error:
        return NotSent(f"Slack cannot be reached ({type(error).__name__})")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return UnknownOutcome(f"Slack gave no usable answer ({type(error).__name__})")


def may_send(client: AsyncWebClient, address: str) -> bool:
    """Return whether an address that Slack named is as safe as Slack's own: never in the clear."""
    return is_secure(address) or not is_secure(client.base_url)


async def send_file(
    client: AsyncWebClient, user: str, before: str, name: str, content: bytes
) -> None:
    """Send a file to one person in a direct message, under a line of its own.

    Raises:
        CallError: Slack did not accept it.

    Source: https://docs.slack.dev/messaging/working-with-files
    """
    posted = await call_or_raise(client.chat_postMessage(channel=user, text=before))
    target = await call_or_raise(
        client.files_getUploadURLExternal(filename=name, length=len(content))
    )
    await upload(client, str(target.data.get("upload_url") or ""), content)
    await call_or_raise(
        client.files_completeUploadExternal(
            files=[{"id": str(target.data.get("file_id") or ""), "title": name}],
            channel_id=str(posted.data.get("channel") or ""),
            thread_ts=str(posted.data.get("ts") or ""),
        )
    )


async def upload(client: AsyncWebClient, url: str, content: bytes) -> None:
    """Upload a file's content to the URL that Slack returned for it.

    Raises:
        CallError: Slack did not accept it.
    """
    outcome: Outcome
    try:
        async with asyncio.timeout(CALL_TIMEOUT):
            outcome = await _upload(client, url, content)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        outcome = UnknownOutcome(f"Slack did not take the file ({type(error).__name__})")
    if not isinstance(outcome, Answered):
        raise CallError(outcome)


async def _upload(client: AsyncWebClient, url: str, content: bytes) -> Outcome:
    if client.session is None:
        raise ValueError("the client has no session")
    if not may_send(client, url):
        return Refused("address_not_encrypted")
    async with client.session.post(url, data=content, allow_redirects=False) as response:
        if response.status == _OK:
            return Answered({}, response.headers)
        return Refused(f"http_{response.status}")


def auth_problem(code: str) -> str:
    """Return the sentence for a code of `AUTH_ERRORS`."""
    return f"Slack does not accept the bot's token or scopes ({code}); mend SLACK_BOT_TOKEN"


def without_retries(client: AsyncWebClient) -> AsyncWebClient:
    """Return a client on the same connections that sends everything once."""
    return _copy(client, 0)


def with_rate_limit_retries(client: AsyncWebClient) -> AsyncWebClient:
    """Return a client on the same connections that repeats only rate-limited calls."""
    return _copy(client, 2)


def _copy(client: AsyncWebClient, retries: int) -> AsyncWebClient:
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
    if not may_send(client, url):
        return Refused("address_not_encrypted")
    async with client.session.post(url, json=body, allow_redirects=False) as response:
        if response.status == _OK:
            return Answered({}, response.headers)
        if response.status == _RATE_LIMITED:
            return Refused("ratelimited", _retry_after(response.headers))
        if response.status >= _SERVER_ERROR:
            return UnknownOutcome(f"Slack answered with HTTP {response.status}")
        return Refused(f"http_{response.status}")


def _refusal(response: object) -> Outcome:
    """Return the outcome of an error's response: Slack's, or aiohttp's where it was no JSON."""
    status: int = getattr(response, "status_code", 0) or getattr(response, "status", 0)
    data = getattr(response, "data", None)
    code = data.get("error") if isinstance(data, dict) else None
    if status == _RATE_LIMITED or code in ("ratelimited", "rate_limited"):
        return Refused("ratelimited", _retry_after(getattr(response, "headers", {})))
    if not isinstance(code, str) or not code or code in _UNCLEAR_ERRORS or status >= _SERVER_ERROR:
        return UnknownOutcome(f"Slack answered with HTTP {status} {code or ''}".rstrip())
    return Refused(code)


def _retry_after(headers: Mapping[str, str]) -> float:
    value = headers.get("Retry-After", "")
    valid = value.isascii() and value.isdigit() and len(value) < _MAX_DIGITS
    return min(_LONGEST_WAIT, float(value)) if valid else _DEFAULT_WAIT
