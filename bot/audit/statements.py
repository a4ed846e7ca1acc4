"""What records say of the audit log itself: keys, checkpoints, tampering, what was removed."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.audit.hash_chain import ACKNOWLEDGED, CHECKPOINT, KEY, PRUNED, TAMPERED
from bot.audit.keyring import Keyring

NOTED = frozenset(kind.encode() for kind in (KEY, PRUNED, CHECKPOINT, TAMPERED, ACKNOWLEDGED))
"""Kinds of the records that `Statements.add` reads."""


@dataclass(frozen=True, slots=True)
class Tampering:
    """A record that says that somebody else has written to the audit log.

    Attributes:
        seq: Number of the record.
        why: What was found.
        vouched: The last record before it that the key vouches for.
        upto: The last record that somebody else may have written.
    """

    seq: int
    why: str
    vouched: int
    upto: int

    def __contains__(self, seq: int) -> bool:
        """Return whether a record is one that nobody vouches for."""
        return self.vouched < seq <= self.upto


@dataclass(frozen=True, slots=True)
class ListedCheckpoint:
    """A record of a checkpoint: of which record it is."""

    seq: int
    hash: str


class Statements:
    """What the records of one log say of the log itself.

    Attributes:
        pruned: Number and hash of each last record that was removed.
    """

    def __init__(self, keyring: Keyring) -> None:
        self.keyring = keyring
        self.pruned: set[tuple[int, str]] = set()
        self._checkpoints: list[tuple[int, ListedCheckpoint]] = []
        self._tampered: list[Tampering] = []
        self._acknowledged: list[tuple[int, frozenset[int]]] = []

    def add(self, seq: int, previous: bytes, body: bytes) -> None:
        """Note what a record of one of the kinds of NOTED says; its hash has been verified."""
        record = json.loads(body)
        facts = record["facts"]
        if not isinstance(facts, dict):
            return
        kind = record["kind"]
        if kind in (KEY, PRUNED):
            self.keyring.add(seq, previous.decode(), facts)
        if kind == PRUNED:
            self.pruned.add((_number(facts, "upto"), _text(facts, "hash")))
        elif kind == CHECKPOINT:
            listed = ListedCheckpoint(_number(facts, "seq"), _text(facts, "hash"))
            self._checkpoints.append((seq, listed))
        elif kind == TAMPERED:
            # It can speak only of what was there before it.
            upto = min(_number(facts, "upto"), seq - 1)
            vouched = _number(facts, "vouched")
            self._tampered.append(Tampering(seq, _text(facts, "why"), vouched, upto))
        elif kind == ACKNOWLEDGED:
            given = facts.get("records")
            numbers = given if isinstance(given, list) else ()
            known = frozenset(one for one in numbers if isinstance(one, int))
            self._acknowledged.append((seq, known))

    def tampering(self) -> list[Tampering]:
        """Return what the log says of tampering, in order, without what is forged itself."""
        found: list[Tampering] = []
        for one in reversed(self._tampered):
            if not any(one.seq in later for later in found):
                found.append(one)
        return found[::-1]

    def unacknowledged(self) -> list[Tampering]:
        """Return the tampering that nobody has acknowledged in a record that is vouched for."""
        found = self.tampering()
        valid = [known for seq, known in self._acknowledged if not is_forged(seq, found)]
        return [one for one in found if not any(one.seq in known for known in valid)]

    def checkpoints(self) -> list[ListedCheckpoint]:
        """Return the checkpoints that the log lists, without what is forged."""
        found = self.tampering()
        return [listed for seq, listed in self._checkpoints if not is_forged(seq, found)]


def is_forged(seq: int, found: Iterable[Tampering]) -> bool:
    """Return whether a record is one that nobody vouches for."""
    return any(seq in one for one in found)


def _number(facts: Mapping[str, Any], name: str) -> int:
    value = facts.get(name)
    return value if isinstance(value, int) else 0


def _text(facts: Mapping[str, Any], name: str) -> str:
    value = facts.get(name)
    return value if isinstance(value, str) else ""
