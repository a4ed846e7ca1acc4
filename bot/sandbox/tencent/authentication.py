"""The checks of a request's signature, in the order of the real cloud."""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from bot.model.actions import Site
from bot.sandbox.tencent.errors import CodeError
from bot.sandbox.tencent.requests import Request
from bot.tencent import tc3

SKEW = 300.0
"""Seconds that a timestamp may be off."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key that the emulated cloud knows.

    Attributes:
        token: Of a temporary key; must be sent with it.
        site: The one site that knows it; None for both.
        until: When a temporary key lapses, epoch seconds; None for never.
    """

    secret_key: str = field(repr=False)
    token: str = field(default="", repr=False)
    site: Site | None = None
    until: float | None = None


def authenticate(
    request: Request, service: str, keys: Mapping[str, Key], *, site: Site, now: float
) -> None:
    """Check a request's signature.

    Args:
        service: The product that it must be signed for.

    Raises:
        CodeError: It is refused.
    """
    try:
        given = tc3.parse_authorization(request.headers.get("authorization", ""))
    except ValueError:
        raise CodeError(
            "AuthFailure.InvalidAuthorization", "Authorization is missing or malformed."
        ) from None
    request.secret_id, request.signature = given.secret_id, given.signature
    timestamp = _timestamp(request, given, now)
    key = _key(request, keys, site, now)
    if not {"content-type", "host"} <= set(given.signed_headers):
        raise CodeError("AuthFailure.InvalidAuthorization", "content-type and host must be signed.")
    request.canonical_request = _canonical_request(request, given)
    request.string_to_sign = tc3.string_to_sign(timestamp, given.service, request.canonical_request)
    signing = tc3.signing_key(key.secret_key, given.date, given.service)
    request.expected = tc3.signature(signing, request.string_to_sign)
    if given.service != service or not hmac.compare_digest(request.expected, given.signature):
        raise CodeError(
            "AuthFailure.SignatureFailure",
            "The provided credentials could not be validated; check the signature.",
        )


def is_signed_v1(request: Request) -> bool:
    """Return whether a request has the older signature, among its parameters."""
    if request.headers.get("authorization"):
        return False
    form = request.query if request.method == "GET" else request.body.decode(errors="replace")
    names = {name for name, _ in parse_qsl(form, keep_blank_values=True)}
    return {"Signature", "SecretId"} <= names


def _timestamp(request: Request, given: tc3.Authorization, now: float) -> int:
    text = request.headers["x-tc-timestamp"]
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise CodeError("InvalidParameter", "X-TC-Timestamp is not a number.")
    timestamp = int(text)
    request.behind = now - timestamp
    if abs(request.behind) > SKEW:
        raise CodeError("AuthFailure.SignatureExpire", "The request has expired.")
    if tc3.utc_day(timestamp) != given.date:
        raise CodeError(
            "AuthFailure.SignatureFailure", "The credential's date is not the timestamp's."
        )
    return timestamp


def _key(request: Request, keys: Mapping[str, Key], site: Site, now: float) -> Key:
    key = keys.get(request.secret_id)
    if key is None or key.site not in (None, site):
        raise CodeError("AuthFailure.SecretIdNotFound", "The SecretId is not found.")
    lapsed = key.until is not None and now >= key.until
    if lapsed or request.headers.get("x-tc-token", "") != key.token:
        raise CodeError("AuthFailure.TokenFailure", "The token is wrong or has expired.")
    return key


def _canonical_request(request: Request, given: tc3.Authorization) -> str:
    payload = request.body
    if request.headers.get("x-tc-content-sha256") == "UNSIGNED-PAYLOAD":
        payload = b"UNSIGNED-PAYLOAD"
    try:
        return tc3.canonical_request(
            request.method, request.query, request.headers, given.signed_headers, payload
        )
    except KeyError as error:
        raise CodeError(
            "AuthFailure.SignatureFailure", f"The signed header {error} did not come."
        ) from None
