"""Reads the answers of Tencent Cloud to a bound, and cuts their messages: foreign data."""

from collections.abc import Sequence

import httpx

from bot.errors import NoAnswerError
from bot.model.storable import storable_text
from bot.redact import HIDDEN, redact

LONGEST_ID = 100
"""Characters of a RequestId or an error code."""

LONGEST_MESSAGE = 2000
"""Characters of an error message."""

LARGEST = 1 << 20
"""Bytes of a response; a larger one is not read to its end."""

_BEYOND = 1000
"""Characters after these that are searched, so that no secret is cut in two."""


async def read_body(response: httpx.Response) -> bytes:
    """Return the body of a response that was sent for as a stream.

    Raises:
        NoAnswerError: It is too large, or compressed.
    """
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise NoAnswerError("Tencent Cloud's answer is compressed, which was not asked for")
    parts, size = [], 0
    async for part in response.aiter_raw():
        size += len(part)
        if size > LARGEST:
            raise NoAnswerError(f"Tencent Cloud's answer is larger than {LARGEST} bytes")
        parts.append(part)
    return b"".join(parts)


def storable_message(text: str, secrets: Sequence[str]) -> str:
    """Return the beginning of a message, without secrets.

    It is cut before it is searched, since it may be a megabyte long.

    Args:
        secrets: Texts that must not be shown.
    """
    longest = max(map(len, secrets), default=0)
    cut = text[: LONGEST_MESSAGE + _BEYOND + longest]
    whole = len(cut) == len(text)
    cut = without_secrets(storable_text(cut), secrets)
    if not whole and longest:
        # A secret may have been cut in two, and what is left of it would not be recognised.
        cut = cut[:-longest]
    shown = redact(cut)
    return (shown if whole else shown[:-_BEYOND])[:LONGEST_MESSAGE]


def without_secrets(text: str, secrets: Sequence[str]) -> str:
    """Replace each secret by `[hidden]`."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text
