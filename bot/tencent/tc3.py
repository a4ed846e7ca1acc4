"""TC3-HMAC-SHA256, Tencent Cloud's request signature: the specification's steps as functions.

Source: https://www.tencentcloud.com/document/product/267/37447
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from bot.times import format_utc

ALGORITHM = "TC3-HMAC-SHA256"
SIGNED_HEADERS = ("content-type", "host", "x-tc-action")
"""With x-tc-action signed, a captured request cannot be replayed as another action."""

_ENDING = "tc3_request"
_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} Credential=(?P<secret_id>[^/,\s]+)/(?P<date>\d{{4}}-\d\d-\d\d)"
    rf"/(?P<service>[a-z0-9]+)/{_ENDING}, ?SignedHeaders=(?P<headers>[a-z0-9;_-]+), ?"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key of Tencent Cloud.

    Attributes:
        token: Of a temporary key; sent as X-TC-Token, unsigned.
    """

    secret_id: str
    secret_key: str = field(repr=False)
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Authorization:
    """The parts of an `Authorization` header, as received."""

    secret_id: str
    date: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str


def utc_day(timestamp: int) -> str:
    """Return the UTC day of a timestamp, the signature's `Date`."""
    return _day(timestamp // 86_400)


@lru_cache(8)
def _day(number: int) -> str:
    return format_utc(number * 86_400, "%Y-%m-%d")


def hashed(payload: bytes) -> str:
    """Return the hex sha256 of a payload, `HashedRequestPayload`."""
    return hashlib.sha256(payload).hexdigest()


def canonical_request(
    method: str,
    query: str,
    headers: Mapping[str, str],
    signed_headers: Sequence[str],
    payload: bytes,
) -> str:
    """Return the canonical request, step 1 of the signature.

    Args:
        query: The query string exactly as sent, without `?`; empty for POST.
        headers: By lower-case name; every one of `signed_headers` must be there.
        signed_headers: Lower-case and sorted.

    Raises:
        KeyError: If a header to sign is missing.
    """
    lines = "".join([f"{name}:{headers[name].strip().lower()}\n" for name in signed_headers])
    return f"{method}\n/\n{query}\n{lines}\n{';'.join(signed_headers)}\n{hashed(payload)}"


def string_to_sign(timestamp: int, service: str, request: str) -> str:
    """Return the string to sign of a canonical request, step 2 of the signature."""
    scope = _scope(utc_day(timestamp), service)
    return f"{ALGORITHM}\n{timestamp}\n{scope}\n{hashed(request.encode())}"


def _scope(date: str, service: str) -> str:
    return f"{date}/{service}/{_ENDING}"


def secret_date(secret_key: str, date: str) -> bytes:
    """Derive the key of a day, `SecretDate`."""
    return hmac.digest(f"TC3{secret_key}".encode(), date.encode(), "sha256")


def secret_service(key_of_date: bytes, service: str) -> bytes:
    """Derive the key of a service, `SecretService`."""
    return hmac.digest(key_of_date, service.encode(), "sha256")


def secret_signing(key_of_service: bytes) -> bytes:
    """Derive the key that signs, `SecretSigning`."""
    return hmac.digest(key_of_service, _ENDING.encode(), "sha256")


# The standard library's cache, because it costs a tenth of a microsecond where cachetools, with
# the lock that it then needs, costs more than the rest of a signature.
@lru_cache(64)
def signing_key(secret_key: str, date: str, service: str) -> bytes:
    """Derive the signing key; cached, as it is the same for a key, a UTC day and a service."""
    return secret_signing(secret_service(secret_date(secret_key, date), service))


def signature(key: bytes, text: str) -> str:
    """Return the hex signature of a string to sign, step 3 of the signature."""
    return hmac.digest(key, text.encode(), "sha256").hex()


def authorization(
    headers: Mapping[str, str],
    payload: bytes,
    *,
    credentials: Credentials,
    service: str,
    timestamp: int,
    method: str = "POST",
    query: str = "",
    signed_headers: Sequence[str] = SIGNED_HEADERS,
) -> str:
    """Build the `Authorization` header.

    Args:
        headers: By lower-case name, every one of `signed_headers`.
        payload: The bytes that are sent; empty for GET.
        service: The bare name, e.g. `live`, whatever the host.
        timestamp: Seconds since the epoch. More than 300 s from Tencent's clock is refused
            with `AuthFailure.SignatureExpire`.
        query: As sent, without `?`.

    Raises:
        KeyError: If a header to sign is missing.
    """
    request = canonical_request(method, query, headers, signed_headers, payload)
    date = utc_day(timestamp)
    text = string_to_sign(timestamp, service, request)
    signed = signature(signing_key(credentials.secret_key, date, service), text)
    return (
        f"{ALGORITHM} Credential={credentials.secret_id}/{_scope(date, service)}, "
        f"SignedHeaders={';'.join(signed_headers)}, Signature={signed}"
    )


def parse_authorization(header: str) -> Authorization:
    """Parse an `Authorization` header.

    Raises:
        ValueError: It is not in Tencent Cloud's form.
    """
    found = _AUTHORIZATION.fullmatch(header)
    if found is None:
        raise ValueError("not a TC3-HMAC-SHA256 authorization")
    return Authorization(
        found["secret_id"],
        found["date"],
        found["service"],
        tuple(found["headers"].split(";")),
        found["signature"],
    )
