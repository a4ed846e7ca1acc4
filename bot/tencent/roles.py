"""Temporary keys of roles: of the CVM itself, by AssumeRole, and by TKE's identity of a pod.

Sources: https://www.tencentcloud.com/document/product/1150/49456 (AssumeRole),
https://cloud.tencent.com/document/product/1312/73070 (AssumeRoleWithWebIdentity),
https://cloud.tencent.com/document/product/598/85616 (the role of a CVM).
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bot.errors import CloudError, NeverSentError
from bot.files import read_regular_file
from bot.model.storable import storable_text
from bot.redact import redact
from bot.tencent.answers import LONGEST_ID, read_body, storable_message
from bot.tencent.credentials import Credentials, CredentialSource
from bot.tencent.headers import signed_headers, unsigned_headers
from bot.tencent.temporary_key import TemporaryKey
from bot.tencent.tls import tls_context

METADATA = "http://metadata.tencentyun.com/latest/meta-data/cam/security-credentials/"

STS = "https://sts.tencentcloudapi.com/"

SESSION = "stopstream"
"""The name under which Tencent Cloud's own audit shows what is done with a role."""

_LIFE = 7200
"""Seconds for which a key is asked, as the official SDK does."""

_PATIENCE = 3.0
"""Seconds until a key must be there, connecting included."""

_VERSION = "2018-08-13"

_REGION = "ap-guangzhou"
"""Which AssumeRole is sent to by the official SDK; a role is known in all of them."""

_LARGEST_TOKEN = 1 << 16

_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What reading an answer raises that is not the documented JSON."""


@dataclass(frozen=True, slots=True)
class KeyService:
    """How services that give out keys are reached.

    Attributes:
        sts: Address of the Security Token Service.
        metadata: Address at which a CVM is told of its role.
        clock: Epoch seconds.
        transport: Instead of the network.
    """

    sts: str = STS
    metadata: str = METADATA
    clock: Callable[[], float] = time.time
    transport: httpx.AsyncBaseTransport | None = None

    def client(self) -> httpx.AsyncClient:
        """Return a client that no variable of the environment redirects."""
        return httpx.AsyncClient(
            transport=self.transport, verify=tls_context(), timeout=_PATIENCE, trust_env=False
        )


@dataclass(frozen=True, slots=True)
class CvmRole:
    """The role that the machine itself has."""

    service: KeyService

    async def fetch(self) -> TemporaryKey:
        """Return its key.

        Raises:
            NeverSentError: The machine has no role, or does not tell its key.
        """
        try:
            async with asyncio.timeout(_PATIENCE), self.service.client() as client:
                return await _key_of_machine(client, self.service.metadata)
        except (httpx.HTTPError, CloudError, TimeoutError, *_UNREADABLE) as error:
            raise NeverSentError(_NOWHERE) from error


@dataclass(frozen=True, slots=True)
class AssumedRole:
    """A role that another key may assume.

    Attributes:
        base: Gives that key.
        arn: Of the role, as `qcs::cam::uin/100000000001:roleName/stopstream`.
    """

    base: CredentialSource
    arn: str
    session: str
    service: KeyService

    async def fetch(self) -> TemporaryKey:
        """Return a key of the role; a base key that is refused is replaced once.

        Raises:
            NeverSentError: The role is not given, and why.
        """
        key = await self.base.get()
        try:
            return await self._assume(key)
        except _RefusedError as refusal:
            other = await self.base.replace(key) if refusal.code.startswith("AuthFailure") else None
            if other is None:
                raise
            return await self._assume(other)

    async def _assume(self, key: Credentials) -> TemporaryKey:
        payload = _payload(self.arn, self.session)
        headers = signed_headers(
            payload,
            host=_host(self.service.sts),
            api="AssumeRole",
            service="sts",
            api_version=_VERSION,
            region=_REGION,
            credentials=key,
            timestamp=int(self.service.clock()),
        )
        secrets = [key.secret_id, key.secret_key, *filter(None, [key.token])]
        return await _ask(self.service, headers, payload, f"The role {self.arn}", secrets)


@dataclass(frozen=True, slots=True)
class PodRole:
    """The role of a pod of TKE, by the token that the cluster gives it.

    Attributes:
        token_file: Rewritten by the cluster, so it is read for each key.
    """

    region: str
    provider: str
    token_file: Path
    arn: str
    session: str
    service: KeyService

    async def fetch(self) -> TemporaryKey:
        """Return a key of the role.

        Raises:
            NeverSentError: The token cannot be read, or the role is not given.
        """
        token = self._token()
        payload = _payload(
            self.arn, self.session, {"ProviderId": self.provider, "WebIdentityToken": token}
        )
        headers = unsigned_headers(
            host=_host(self.service.sts),
            api="AssumeRoleWithWebIdentity",
            api_version=_VERSION,
            region=self.region,
            timestamp=int(self.service.clock()),
        )
        return await _ask(self.service, headers, payload, f"The role {self.arn}", [token])

    def _token(self) -> str:
        try:
            token = read_regular_file(self.token_file, _LARGEST_TOKEN).decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "is not UTF-8"
            raise NeverSentError(f"TKE_WEB_IDENTITY_TOKEN_FILE: {why or error}") from error
        if not token:
            raise NeverSentError("TKE_WEB_IDENTITY_TOKEN_FILE: is empty")
        return token


class _RefusedError(NeverSentError):
    """The Security Token Service refused to give a key.

    Attributes:
        code: With which it did.
    """

    def __init__(self, who: str, code: str, message: str, request_id: str) -> None:
        super().__init__(f"{who} is not given: {code}: {message} (RequestId {request_id})")
        self.code = code


async def _key_of_machine(client: httpx.AsyncClient, metadata: str) -> TemporaryKey:
    """Ask for the name of the machine's role, then for its key."""
    role = (await _get(client, metadata)).strip()
    if not role or not role.isprintable() or "/" in role:
        raise ValueError("no role")
    body = json.loads(await _get(client, metadata + role))
    if body.get("Code", "Success") != "Success":
        raise ValueError("no key")
    return _temporary_key(body, body["ExpiredTime"])


async def _get(client: httpx.AsyncClient, url: str) -> str:
    async with client.stream("GET", url) as response:
        return (await read_body(response.raise_for_status())).decode()


async def _ask(
    service: KeyService, headers: Mapping[str, str], payload: bytes, who: str, secrets: list[str]
) -> TemporaryKey:
    """Send a request to the Security Token Service, and return the key that it gives.

    Args:
        who: The role, for what is wrong.
        secrets: What must not be shown from its answer.
    """
    try:
        async with (
            asyncio.timeout(_PATIENCE),
            service.client() as client,
            client.stream("POST", service.sts, headers=headers, content=payload) as response,
        ):
            answer = json.loads(await read_body(response))["Response"]
        if "Error" not in answer:
            return _temporary_key(answer["Credentials"], answer["ExpiredTime"])
        code, message = str(answer["Error"]["Code"]), str(answer["Error"].get("Message", ""))
        request_id = storable_text(str(answer.get("RequestId", "")))[:LONGEST_ID]
    except TimeoutError as error:
        why = f"the Security Token Service did not answer within {_PATIENCE:g} s"
        raise NeverSentError(f"{who} is not given: {why}") from error
    except (httpx.HTTPError, CloudError) as error:
        why = redact(str(error) or type(error).__name__)
        raise NeverSentError(f"{who} is not given: {why}") from error
    except _UNREADABLE as error:
        raise NeverSentError(f"{who} is not given: the answer is unreadable") from error
    raise _RefusedError(
        who, storable_text(code)[:LONGEST_ID], storable_message(message, secrets), request_id
    )


def _payload(arn: str, session: str, more: Mapping[str, str] | None = None) -> bytes:
    role = {"RoleArn": arn, "RoleSessionName": session, "DurationSeconds": _LIFE}
    return json.dumps({**role, **(more or {})}).encode()


def _host(url: str) -> str:
    return httpx.URL(url).netloc.decode("ascii")


def _temporary_key(parts: Any, until: Any) -> TemporaryKey:
    values = (parts["TmpSecretId"], parts["TmpSecretKey"], parts["Token"])
    if not all(isinstance(value, str) and value and value.isascii() for value in values):
        raise ValueError("no key")
    return TemporaryKey(Credentials(*values), float(until))


_NOWHERE = (
    "There is no key for Tencent Cloud: set TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY, "
    "or write ~/.tencentcloud/credentials, or give this pod or CVM a role."
)
