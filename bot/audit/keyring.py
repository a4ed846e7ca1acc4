"""Which signing keys are trusted: those given, and those that a trusted key has signed."""

from collections.abc import Iterable

from bot.audit.checkpoints import SignedCheckpoint


class Keyring:
    """The trusted public keys of one verification.

    Attributes:
        given: The keys that were given as known to be good.
        trusted: Those, and the ones that were found trustworthy since.
        has_keys: Whether some record names a key.
    """

    def __init__(self, given: Iterable[str]) -> None:
        self.given = frozenset(given)
        self.trusted = set(self.given)
        self.has_keys = False
        self._named: list[tuple[int, str]] = []
        self._pending: list[SignedCheckpoint] = []

    def add(self, seq: int, key: str) -> None:
        """Note a key that a record names; without any trusted key, the first one is."""
        self.has_keys = True
        if not self.trusted:
            self.trusted.add(key)
        self._named.append((seq, key))

    def accept(self, checkpoint: SignedCheckpoint) -> None:
        """Note a valid checkpoint: if its key is trusted, so are the keys named up to it."""
        self._pending.append(checkpoint)
        while valid := [one for one in self._pending if one.key in self.trusted]:
            self._pending = [one for one in self._pending if one.key not in self.trusted]
            upto = max(one.seq for one in valid)
            self.trusted.update(key for seq, key in self._named if seq <= upto)
            self._named = [(seq, key) for seq, key in self._named if seq > upto]

    def untrusted(self) -> SignedCheckpoint | None:
        """Return the first checkpoint whose key is not trusted; None if there is none."""
        return min(self._pending, key=lambda one: one.seq, default=None)
