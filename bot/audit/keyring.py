"""Which signing keys are trusted: those given, and those that a trusted key has signed.

A key that follows another is signed by it, in the record that names it (`FORMAT`). Trails of
earlier releases only name keys: there one is trusted once a trusted key has signed past its name.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from bot.audit.checkpoints import SignedCheckpoint, is_successor
from bot.audit.hash_chain import FORMAT


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A record that says that one key follows another.

    Attributes:
        is_signed: Whether the former key has signed it; else that one was abandoned.
    """

    seq: int
    former: str
    key: str
    is_signed: bool


class Keyring:
    """The trusted public keys of one verification.

    Attributes:
        given: The keys that were given as known to be good.
        has_keys: Whether some record names a key.
    """

    def __init__(self, given: Iterable[str]) -> None:
        self.given = frozenset(given)
        self.has_keys = False
        self._named: list[tuple[int, str]] = []
        self._changes: list[KeyChange] = []
        self._seals: list[SignedCheckpoint] = []
        self._strict_from = inf
        self._until: dict[str, float] = {}
        self._lead: set[str] = set()

    @property
    def trusted(self) -> frozenset[str]:
        """Return the keys that are trusted for some record at least; see `resolve`."""
        return frozenset(self._until)

    @property
    def abandoned(self) -> list[KeyChange]:
        """Return the changes to a trusted key that the former key has not signed."""
        return [one for one in self._changes if not one.is_signed and one.key in self._until]

    def add(self, seq: int, previous: str, facts: Mapping[str, Any]) -> None:
        """Note the keys that a record names.

        Args:
            previous: Hash of the record before it.
        """
        key, more = facts.get("key"), facts.get("keys")
        every = [key, *(more if isinstance(more, list) else ())]
        keys = [one for one in every if isinstance(one, str)]
        self.has_keys |= bool(keys)
        self._named += [(seq, one) for one in keys]
        if facts.get("format") == FORMAT:
            self._strict_from = min(self._strict_from, seq)
        if isinstance(key, str) and (change := key_change(seq, previous, facts)):
            self._changes.append(change)

    def accept(self, checkpoint: SignedCheckpoint) -> None:
        """Note a valid checkpoint."""
        self._seals.append(checkpoint)

    def resolve(self, is_forged: Callable[[int], bool] = lambda _seq: False) -> None:
        """Decide which keys are trusted, and for the records up to which.

        Args:
            is_forged: Whether somebody else has put a record in: what it names is void, and so
                is every seal of it.
        """
        self._seals = [one for one in self._seals if not is_forged(one.seq)]
        named = [(seq, key) for seq, key in self._named if not is_forged(seq)]
        self._until = dict.fromkeys(self.given or [key for _, key in named[:1]], inf)
        self._lead = set(self._until)
        before: dict[str, float] = {}
        while before != self._until:
            before = dict(self._until)
            self._trust_named(named)
            for change in self._changes:
                self._trust_successor(change)
                if not is_forged(change.seq):
                    self._trust_former(change)

    @property
    def first(self) -> frozenset[str]:
        """Return the first key that the log names."""
        return frozenset(key for _, key in self._named[:1])

    def vouches(self, seal: SignedCheckpoint) -> bool:
        """Return whether the key of a seal is trusted for its record."""
        return seal.seq <= self._until.get(seal.key, -1)

    def untrusted(self) -> SignedCheckpoint | None:
        """Return the first checkpoint whose key is not trusted for it; None if there is none."""
        wrong = (one for one in self._seals if one.seq > self._until.get(one.key, -1))
        return min(wrong, key=lambda one: one.seq, default=None)

    def _trust_named(self, named: Iterable[tuple[int, str]]) -> None:
        """Trust the keys that records of an earlier release name, up to the newer format."""
        sealed = max((self._sealed(key) for key in self._until), default=0)
        for seq, key in named:
            if seq <= sealed and seq < self._strict_from:
                self._until.setdefault(key, self._strict_from)
                self._lead.add(key)

    def _trust_successor(self, change: KeyChange) -> None:
        # A key that is only known as a former one names no other: a stranger's may be abandoned.
        if not change.is_signed or change.former not in self._lead:
            return
        if self._until[change.former] >= change.seq:
            # From here on the former key says nothing, whoever has it.
            self._until[change.former] = change.seq
            self._until.setdefault(change.key, inf)
            self._lead.add(change.key)

    def _trust_former(self, change: KeyChange) -> None:
        if change.key in self._until and self._sealed(change.key) >= change.seq:
            self._until.setdefault(change.former, change.seq)

    def _sealed(self, key: str) -> int:
        """Return the last record that a trusted key has signed for."""
        until = self._until[key]
        return max(
            (one.seq for one in self._seals if one.key == key and one.seq <= until), default=0
        )


def key_change(seq: int, previous: str, facts: Mapping[str, Any]) -> KeyChange | None:
    """Return the change of key that a `key` record states; None if it names the first key."""
    key, former, signature = str(facts.get("key")), facts.get("previous"), facts.get("signature")
    if isinstance(former, str) and isinstance(signature, str):
        if is_successor(former, key, seq, previous, signature):
            return KeyChange(seq, former, key, is_signed=True)
        return None
    abandoned = facts.get("abandoned")
    return KeyChange(seq, abandoned, key, is_signed=False) if isinstance(abandoned, str) else None
