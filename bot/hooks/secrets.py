"""Checks the secrets and signatures of notices, in constant time; pure.

Each source may have two secrets at once, so that they can be replaced without an interruption.
"""

import base64
import binascii
import hmac
from collections.abc import Iterable, Sequence

from bot.hooks.exchange import (
    NO_SECRET,
    OUT_OF_TIME,
    WRONG_SECRET,
    WRONG_SIGNATURE,
    Forbidden,
    HookRequest,
)

WINDOW = 300.0
"""Seconds by which a signed time may differ from ours."""

_SIGNATURES_MOST = 8
"""How many signatures of one notice are looked at."""


def is_any_of(given: str, due: Iterable[str]) -> bool:
    """Return whether a text equals one of some others; takes as long whichever it is."""
    found = False
    for one in due:
        # Bytes, because text outside of ASCII is refused.
        found |= hmac.compare_digest(given.encode(errors="replace"), one.encode())
    return found


def check_token(request: HookRequest, secrets: Sequence[str]) -> Forbidden | None:
    """Check `Authorization: Bearer SECRET`, or the password of `Basic`; None if it is ours."""
    scheme, _, given = request.header("authorization").partition(" ")
    match scheme.casefold():
        case "bearer":
            password = given.strip()
        case "basic":
            password = _password(given.strip())
        case _:
            return NO_SECRET
    return None if is_any_of(password, secrets) else WRONG_SECRET


def _password(encoded: str) -> str:
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return ""
    return decoded.decode(errors="replace").partition(":")[2]


def signatures(header: str) -> tuple[str, ...]:
    """Return the signatures `v1=HEX` of a header that lists several, without their `v1=`."""
    found = (part.strip() for part in header.split(","))
    ours = (part.removeprefix("v1=") for part in found if part.startswith("v1="))
    return tuple(ours)[:_SIGNATURES_MOST]


def check_hmac(signed: bytes, header: str, secrets: Sequence[str]) -> Forbidden | None:
    """Check a header of signatures `v1=` and HMAC-SHA256 in hex; None if one is ours."""
    given = signatures(header)
    if not given:
        return NO_SECRET if not header else WRONG_SIGNATURE
    due = [hmac.digest(secret.encode(), signed, "sha256").hex() for secret in secrets]
    fits = [is_any_of(one.casefold(), due) for one in given]
    return None if any(fits) else WRONG_SIGNATURE


def check_timed_hmac(
    request: HookRequest, timestamp: str, header: str, secrets: Sequence[str]
) -> Forbidden | None:
    """Check a signature over `v1:TIMESTAMP:BODY`, and that its time is about now.

    Args:
        timestamp: Epoch seconds, as they were sent.
    """
    signed = b"v1:" + timestamp.encode(errors="replace") + b":" + request.body
    if (forbidden := check_hmac(signed, header, secrets)) is not None:
        return forbidden
    in_time = timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= len("9" * 12)
    if not in_time or abs(int(timestamp) - request.at) > WINDOW:
        return OUT_OF_TIME
    return None
