"""The steps of the check of a request's signature, for the page; no I/O.

Source: https://www.tencentcloud.com/document/product/267/37447
"""

from typing import Any

from bot.sandbox.tencent.authentication import SKEW
from bot.sandbox.tencent.requests import Received

_OF_THE_CLOCK = "AuthFailure.SignatureExpire"
_OF_THE_KEY = ("AuthFailure.SecretIdNotFound", "AuthFailure.TokenFailure")
_NOT_HERE = "not reached"


def steps(one: Received) -> list[dict[str, Any]]:
    """Return each step of the check: its name, whether it passed, and what it compared.

    `holds` is None for a step that was not reached.
    """
    parsed = bool(one.secret_id)
    on_time = parsed and one.code != _OF_THE_CLOCK
    known = on_time and bool(one.canonical_request or one.code not in _OF_THE_KEY)
    wrote = known and bool(one.canonical_request)
    scope = one.string_to_sign.split("\n")[2] if one.string_to_sign else ""
    date, _, service = scope.removesuffix("/tc3_request").partition("/")
    signed = bool(one.expected) and one.expected == one.signature
    return [
        _step("Authorization header", parsed, f"SecretId {one.secret_id}", reached=True),
        _step(
            "Timestamp",
            on_time,
            f"at most {SKEW:.0f} s off this cloud's clock, {one.behind:+.0f} s here",
            reached=parsed,
        ),
        _step("Key", known, "the SecretId is one that this cloud knows", reached=on_time),
        _step("Canonical request", wrote, one.canonical_request, reached=known),
        _step("String to sign", wrote, one.string_to_sign, reached=wrote),
        _step("SecretDate", wrote, f'HMAC-SHA256("TC3" + SecretKey, "{date}")', reached=wrote),
        _step("SecretService", wrote, f'HMAC-SHA256(SecretDate, "{service}")', reached=wrote),
        _step("SecretSigning", wrote, 'HMAC-SHA256(SecretService, "tc3_request")', reached=wrote),
        _step(
            "Signature",
            signed,
            "HMAC-SHA256(SecretSigning, string to sign), in hex\n"
            f"computed here:\n{one.expected}\nsent along:\n{one.signature}",
            reached=wrote,
        ),
        _step("Limits, region, parameters, state", one.ran, _verdict(one), reached=signed),
    ]


def _verdict(one: Received) -> str:
    if one.ran:
        return "it ran"
    return f"refused with {one.code}, and did not run"


def _step(name: str, holds: bool, shows: str, *, reached: bool) -> dict[str, Any]:  # noqa: FBT001 (a check)
    if not reached:
        return {"name": name, "holds": None, "shows": _NOT_HERE}
    return {"name": name, "holds": holds, "shows": shows}
