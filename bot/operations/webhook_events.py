"""What the outgoing webhook tells: events, each from one record of the trail, and signed; pure.

Source: https://www.standardwebhooks.com, whose headers and signature these are.
"""

import base64
import binascii
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from bot.audit.hash_chain import Record, stored_facts

EVENTS: Mapping[str, str] = {
    "decided": "operation.decided",
    **dict.fromkeys(("ended", "denied", "cancelled", "expired", "joined"), "operation.ended"),
    "looked": "operation.checked",
    "on again": "operation.came_back",
    "lifted": "operation.lifted",
    "late answer": "operation.late_answer",
}
"""The type of the event that a record makes, by the record's kind; others make none."""

PREFIX = "whsec_"
_SHORTEST, _LONGEST = 24, 64
"""Bytes of a secret."""


def secret_bytes(text: str) -> bytes:
    """Return the bytes of a secret, `whsec_` and base64.

    Raises:
        ValueError: It is none, or has fewer than 24 or more than 64 bytes.
    """
    try:
        found = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        found = b""
    if not text.startswith(PREFIX) or not _SHORTEST <= len(found) <= _LONGEST:
        raise ValueError("is not whsec_ and 24 to 64 bytes in base64")
    return found


def event_of(record: Record) -> bytes | None:
    """Return the body of a record's event; None where it makes none."""
    kind = EVENTS.get(record.kind)
    if kind is None:
        return None
    at = datetime.fromtimestamp(record.at, UTC).isoformat(timespec="milliseconds")
    event = {
        "type": kind,
        "timestamp": at.replace("+00:00", "Z"),
        "data": {
            "operation": record.operation,
            "record": record.kind,
            "seq": record.seq,
            "hash": record.hash,
            "facts": stored_facts(record.body),
        },
    }
    return json.dumps(event, separators=(",", ":")).encode("ascii")


def signed_headers(
    record: Record, body: bytes, secrets: Sequence[bytes], at: float
) -> dict[str, str]:
    """Return the headers of an event: its id, when it is sent, and a signature of each secret.

    The id is the same whenever the event is sent again.
    """
    id_, stamp = f"trail-{record.seq}-{record.hash[:16]}", str(int(at))
    signed = f"{id_}.{stamp}.".encode() + body
    digests = (hmac.digest(secret, signed, "sha256") for secret in secrets)
    return {
        "Content-Type": "application/json",
        "webhook-id": id_,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(f"v1,{base64.b64encode(one).decode()}" for one in digests),
    }
