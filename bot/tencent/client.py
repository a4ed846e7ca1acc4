"""HTTP client for Tencent Cloud: sends one signed request and classifies its result.

Never sent, no answer, refused with a code, or accepted. Nothing is retried here.
Source: https://www.tencentcloud.com/document/product/267/37447
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import httpx
from cachetools import LRUCache
from httpx_aiohttp import AiohttpTransport

from bot.clock_skew import ClockSkew
from bot.errors import (
    ApiError,
    CloudError,
    HeldBackError,
    LapsedKeyError,
    NeverSentError,
    NoAnswerError,
    UnreadableAnswerError,
)
from bot.model.actions import DEFAULT, Json, Site
from bot.model.commands import Command
from bot.model.operations import Answer
from bot.model.ports import always
from bot.model.storable import storable, storable_text
from bot.model.verdicts import RequestPreview
from bot.redact import HIDDEN, redact
from bot.tencent import tc3
from bot.tencent.answers import (
    LONGEST_ID,
    read_body,
    storable_message,
    without_secrets,
)
from bot.tencent.credentials import Access, CredentialSource
from bot.tencent.headers import signed_headers
from bot.tencent.tls import tls_context

CONNECT = 3.0
"""Seconds to connect."""

WHOLE = 10.0
"""Seconds for the whole exchange, however slowly the bytes arrive."""

_SHORTEST_SECRET = 8

_SERVICE = "Tencent Cloud"

# Created once: json.dumps creates a new encoder for every call with separators.
_encode = json.JSONEncoder(separators=(",", ":")).encode

# The transport calls a connection that broke under a sent request a connect timeout, too, so
# its cause is examined. Only these mean that no byte of the request has left.
_BEFORE_SENDING = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
)


_OF_THE_KEY = frozenset(
    {
        "AuthFailure.InvalidSecretId",
        "AuthFailure.SecretIdNotFound",
        "AuthFailure.SignatureFailure",
        "AuthFailure.TokenFailure",
    }
)
"""What a key is refused with that has lapsed, was deleted or was replaced by another one."""

_KEYS_KEPT = 64
"""Keys that answers are searched for: more than any policy has accounts, with renewed ones."""

_SIGNED = re.compile(r"(Credential=|Signature=)[0-9A-Za-z]+")


class _Gate:
    """Lets the body of a request pass, or breaks the request off before anything has left.

    The body is asked for when a connection stands, and the headers leave together with it.
    """

    def __init__(self, may_leave: Callable[[], bool]) -> None:
        self._may_leave = may_leave
        self.held_back = False

    async def body(self, payload: bytes) -> AsyncIterator[bytes]:
        self.held_back = not self._may_leave()
        if self.held_back:
            raise ConnectionError("held back")
        yield payload


class TencentCloud:
    """One client for the life of the process, for all accounts.

    Args:
        credentials: The bot's own key.
        accounts: Returns the accounts that the policy names now; by default the one of
            the bot's own key.
        sites: By product name; a missing one keeps the product's own.
        base_url: One address for every service instead of their hosts.
        clock: Epoch seconds.
        skew: Told of the time that each answer names.
        transport: Instead of the network.
    """

    def __init__(
        self,
        *,
        credentials: CredentialSource,
        accounts: Callable[[], Mapping[str, Access]] = lambda: {DEFAULT: Access()},
        sites: Mapping[str, Site] | None = None,
        base_url: str | None = None,
        whole: float = WHOLE,
        clock: Callable[[], float] = time.time,
        skew: ClockSkew | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._credentials = credentials
        self._accounts = accounts
        self._sites = sites or {}
        self._base_url = httpx.URL(base_url) if base_url else None
        self._whole = whole
        self._clock = clock
        self._clock_skew = skew or ClockSkew(clock)
        self._signed_with = LRUCache[str, tc3.Credentials](_KEYS_KEPT)
        # No proxy from the environment: it would see every request, and a forgotten variable
        # would decide where stops go. STOPSTREAM_TENCENT_URL names one on purpose.
        # The transport alone: a client around it keeps cookies and follows redirects, of which
        # there must be none, and costs a third of a call.
        self._transport = transport or AiohttpTransport(
            # 0 is no limit: the queues limit how many requests run, and waiting for a connection
            # would count as an answer that did not come.
            verify=tls_context(),
            trust_env=False,
            limits=httpx.Limits(max_connections=0),
        )
        timeout = httpx.Timeout(whole, connect=min(CONNECT, whole), pool=whole)
        self._extensions = {"timeout": timeout.as_dict()}

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    def preview(self, command: Command) -> RequestPreview:
        """Render the request as it would be sent, without key, signature and secret parameters."""
        params: dict[str, Json] = {}
        for name, value in command.params.items():
            param = command.action.param(name)
            shown = redact(value) if isinstance(value, str) else value
            params[name] = HIDDEN if param is None or param.secret else shown
        site = self._accounts().get(command.account, Access()).site
        harmless = replace(command, params=params)
        request = self._request(harmless, tc3.Credentials("id", "key"), site)
        headers = dict(request.headers)
        headers["authorization"] = _SIGNED.sub(rf"\1{HIDDEN}", headers["authorization"])
        del headers["content-length"]
        return RequestPreview(request.method, str(request.url), headers, request.content.decode())

    async def call(self, command: Command, may_leave: Callable[[], bool] = always) -> Answer:
        """Sign and send a command once.

        Args:
            may_leave: Asked when there is a connection, right before the first byte.

        Raises:
            HeldBackError: It was not to leave any more.
            NeverSentError: It was not sent, and may be retried.
            NoAnswerError: It was sent, and may have run.
            LapsedKeyError: It was refused for its key, and there is another one now.
            ApiError: It was refused with a code.
        """
        access = self._accounts().get(command.account)
        if access is None:
            raise NeverSentError(f'The policy names no account "{command.account}" any more.')
        source = access.source or self._credentials
        credentials = await source.get()
        gate = _Gate(may_leave)
        request = self._request(command, credentials, access.site, gate)
        began = time.perf_counter()
        try:
            async with asyncio.timeout(self._whole):
                response = await self._transport.handle_async_request(request)
                try:
                    body = await read_body(response)
                finally:
                    await response.aclose()
        except TimeoutError as error:
            raise NoAnswerError(f"Tencent Cloud did not answer within {self._whole:g} s") from error
        except (httpx.TransportError, aiohttp.ClientError) as error:
            if gate.held_back:
                raise HeldBackError("It was about to leave too late.") from error
            raise _lost(error) from error
        self._clock_skew.note(_SERVICE, response.headers)
        self._signed_with[credentials.secret_id] = credentials
        secrets = [*self._key_secrets(), *_parameter_secrets(command)]
        try:
            return self._read(response, body, time.perf_counter() - began, secrets)
        except ApiError as error:
            raise await _refused(error, source, credentials) from error

    def _key_secrets(self) -> Iterator[str]:
        """Yield what must not be shown of the keys of all accounts that were in use lately."""
        for key in self._signed_with.values():
            yield from filter(None, (key.secret_id, key.secret_key, key.token))

    def _request(
        self,
        command: Command,
        credentials: tc3.Credentials,
        site: Site | None,
        gate: _Gate | None = None,
    ) -> httpx.Request:
        action = command.action
        site = site or self._sites.get(action.product.name)
        url = self._base_url or httpx.URL(f"https://{action.product.host(site)}/")
        payload = _encode(dict(command.params)).encode()
        headers = signed_headers(
            payload,
            host=url.netloc.decode("ascii"),
            api=action.api,
            service=action.product.name,
            api_version=action.product.version,
            region=command.region,
            credentials=credentials,
            timestamp=int(self._clock()),
        )
        headers["Content-Length"] = str(len(payload))
        content = payload if gate is None else gate.body(payload)
        return httpx.Request(
            "POST", url, headers=headers, content=content, extensions=self._extensions
        )

    def _read(
        self, response: httpx.Response, body: bytes, took: float, secrets: Sequence[str]
    ) -> Answer:
        def unreadable(why: str) -> UnreadableAnswerError:
            return UnreadableAnswerError(
                why, status=response.status_code, excerpt=_excerpt(body, secrets)
            )

        try:
            parsed = json.loads(body)
        except (ValueError, RecursionError):
            raise unreadable("The answer is not JSON") from None
        answer = parsed.get("Response") if isinstance(parsed, dict) else None
        if not isinstance(answer, dict):
            raise unreadable("The answer is not Tencent Cloud's")
        answer = {storable_text(name): storable(value) for name, value in answer.items()}
        request_id = answer.pop("RequestId", None)
        if not isinstance(request_id, str) or not request_id:
            raise unreadable("The answer has no RequestId")
        request_id = request_id[:LONGEST_ID]
        if "Error" in answer:
            refusal = self._refusal(answer["Error"], request_id, response, secrets)
            raise refusal or unreadable("The answer's Error is malformed")
        if response.status_code != httpx.codes.OK:
            raise unreadable("The answer has the wrong status")
        return Answer(request_id, answer, took)

    def _refusal(
        self, error: Any, request_id: str, response: httpx.Response, secrets: Sequence[str]
    ) -> ApiError | None:
        if not isinstance(error, dict):
            return None
        code, message = error.get("Code"), error.get("Message", "")
        if not isinstance(code, str) or not code or not isinstance(message, str):
            return None
        skew = None
        if code == "AuthFailure.SignatureExpire":
            skew = self._skew(response.headers.get("Date", ""))
        message = storable_message(message, secrets)
        return ApiError(code[:LONGEST_ID], message, request_id=request_id, skew=skew)

    def _skew(self, date: str) -> float | None:
        """Return the seconds by which this clock is ahead of the server's."""
        try:
            return self._clock() - parsedate_to_datetime(date).timestamp()
        except ValueError:
            return None


def _lost(error: Exception) -> NeverSentError | NoAnswerError:
    cause = error if error.__cause__ is None else error.__cause__
    if isinstance(cause, aiohttp.ClientError):
        never = isinstance(cause, _BEFORE_SENDING)
    else:
        never = isinstance(
            error,
            httpx.ConnectError
            | httpx.ConnectTimeout
            | httpx.PoolTimeout
            | httpx.UnsupportedProtocol,
        )
    why = storable_message(str(cause) or type(error).__name__, ())
    if never:
        return NeverSentError(f"Tencent Cloud cannot be reached: {why}")
    return NoAnswerError(f"The connection broke before Tencent Cloud answered: {why}")


async def _refused(
    error: ApiError, source: CredentialSource, credentials: tc3.Credentials
) -> CloudError:
    """Return what a refusal means: where it is for the key, there may be another one."""
    if error.code not in _OF_THE_KEY:
        return error
    try:
        other = await source.replace(credentials)
    except NeverSentError as why:
        return NeverSentError(f"{error.code} (RequestId {error.request_id}). {why}")
    return error if other is None else LapsedKeyError.of(error)


def _parameter_secrets(command: Command) -> list[str]:
    """Return what must not be shown of the request: the values of its secret parameters."""
    given = [str(command.params.get(p.api) or "") for p in command.action.params if p.secret]
    # Of an address, what follows the last slash is the key; a short one is a word like any other.
    given += [one.rpartition("/")[2] for one in given]
    return [one for one in given if len(one) >= _SHORTEST_SECRET]


def _excerpt(body: bytes, secrets: Sequence[str]) -> str:
    text = redact(without_secrets(body[:4000].decode("utf-8", "replace"), secrets), 400)
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())[:120] or "(nothing)"
