"""The hash chain of audit records: their canonical form and their hashes.

docs/trail.md tells an auditor how to check a trail without this program.
"""

import contextlib
import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeAlias

from bot.model.actions import Json

GENESIS = "0" * 64
"""The previous hash of the first record."""

KEY, PRUNED, CHECKPOINT = "key", "pruned", "checkpoint"
"""Kinds of the records that name a signing key, the records that were removed, a checkpoint."""

TAMPERED, ACKNOWLEDGED = "tampered", "acknowledged"
"""Kinds of the records that say what somebody changed, and that a person has looked into it."""

FORMAT = 2
"""In `key` and `pruned` records: from here on a new key counts only if the old one signed it."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something to be written to the audit log.

    Attributes:
        kind: `asked`, `denied`, `sending`, `ended`, …
        operation: Id of the operation, or empty.
        facts: Who, where, what, how; without secrets and stream keys.
    """

    kind: str
    operation: str
    facts: dict[str, Json]


@dataclass(frozen=True, slots=True)
class Record:
    """One record of the audit log.

    Attributes:
        seq: 1 for the first; no gaps.
        at: The store's clock, epoch seconds.
        body: Canonical JSON of everything but the hash.
        hash: sha256 of the previous hash and the body, hex.
    """

    seq: int
    at: float
    kind: str
    operation: str
    body: str
    hash: str

    @property
    def facts(self) -> dict[str, Any]:
        """Return the facts that the body holds."""
        found: dict[str, Any] = json.loads(self.body)["facts"]
        return found


Raw: TypeAlias = tuple[int, float, bytes, bytes, bytes, bytes]
"""A row of the database: number, time, kind, operation, body, hash."""


def stored_facts(body: str) -> dict[str, Any]:
    """Return the facts of a record's body; none if somebody has damaged it."""
    with contextlib.suppress(ValueError, LookupError, TypeError, RecursionError):
        found = json.loads(body)["facts"]
        return found if isinstance(found, dict) else {}
    return {}


def canonical(seq: int, at: float, fact: Fact) -> str:
    """Return a record in the form that is hashed.

    JSON with sorted keys, no blanks, ASCII only, `at` rounded to microseconds.
    """
    return _CANONICAL.encode(
        {
            "at": round(at, 6),
            "facts": fact.facts,
            "kind": fact.kind,
            "operation": fact.operation,
            "seq": seq,
        }
    )


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def digest(previous: str, body: str) -> str:
    """Return the hash of a record: sha256 of `previous`, a line feed and `body`, hex."""
    return sha256(f"{previous}\n{body}".encode()).hexdigest()
