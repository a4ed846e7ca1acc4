"""A file that is read again when its content changes."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from bot.errors import ConfigError
from bot.files import read_regular_file

T = TypeVar("T")

LARGEST = 4 << 20
"""Bytes of a file that is watched; its content may have a narrower bound."""


class WatchedFile(Generic[T]):
    """A file that is read again when its content changes; an invalid one keeps the old value.

    Args:
        load: Returns the value of the file's text, or raises ConfigError.
    """

    def __init__(self, path: Path, load: Callable[[str], T]) -> None:
        self.path = path
        self._load = load
        self._seen = ""
        self.value = self._read()

    def _read(self) -> T:
        try:
            raw = read_regular_file(self.path, LARGEST)
        except OSError as error:
            raise ConfigError([f"{self.path}: {error.strerror or error}"]) from None
        return self._loaded(raw)

    def _loaded(self, raw: bytes) -> T:
        self._seen = hashlib.sha256(raw).hexdigest()
        try:
            return self._load(raw.decode())
        except UnicodeDecodeError:
            raise ConfigError([f"{self.path}: is not UTF-8 text"]) from None

    @property
    def digest(self) -> str:
        """Return the sha256 of the content that was read last, valid or not."""
        return self._seen

    def refresh(self) -> bool:
        """Read the file if its content is new, and return whether the value changed.

        Raises:
            ConfigError: The new content is invalid; raised once for each content. The old
                value stays.
        """
        try:
            raw = read_regular_file(self.path, LARGEST)
        except OSError as error:
            gone = f"unreadable: {error.strerror}"
            if self._seen == gone:
                return False
            self._seen = gone
            raise ConfigError([f"{self.path}: {error.strerror or error}"]) from None
        if hashlib.sha256(raw).hexdigest() == self._seen:
            return False
        self.value = self._loaded(raw)
        return True
