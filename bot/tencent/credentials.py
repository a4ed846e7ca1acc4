"""The key that requests are signed with, and the protocol of what gives it."""

from dataclasses import dataclass
from typing import Protocol

from bot.errors import ConfigError
from bot.model.actions import Site
from bot.tencent.tc3 import Credentials

__all__ = ["Access", "CredentialSource", "Credentials", "Fixed", "complete_pair", "flaw"]


class CredentialSource(Protocol):
    """A source of the key to sign with."""

    @property
    def origin(self) -> str:
        """Return where the key comes from, for people; never a part of the key."""
        ...

    @property
    def until(self) -> float | None:
        """Return when the key that was given last lapses, epoch seconds; None for never."""
        ...

    async def get(self) -> Credentials:
        """Return a key that is valid now.

        Raises:
            NeverSentError: There is none, and why.
        """
        ...

    async def replace(self, refused: Credentials) -> Credentials | None:
        """Return another key than one that Tencent Cloud refused; None if there is no other.

        Raises:
            NeverSentError: There may be one, but it cannot be had now.
        """
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """A key that does not change."""

    credentials: Credentials
    origin: str = "the environment"

    @property
    def until(self) -> None:
        """Return None: nothing is known of its end."""

    async def get(self) -> Credentials:
        """Return the key."""
        return self.credentials

    async def replace(self, refused: Credentials) -> None:
        """Return None: there is no other."""


@dataclass(frozen=True, slots=True)
class Access:
    """How an account is reached.

    Attributes:
        source: The source of its key; None for the bot's own key.
        site: Whose hosts it calls; None: each product's, as the settings say.
    """

    source: CredentialSource | None = None
    site: Site | None = None


def flaw(value: str | None) -> str:
    """Return what is wrong with a part of a key in a variable; empty if nothing is."""
    return _wrong(value, "") if value else "is not set"


def complete_pair(
    secret_id: str, secret_key: str, names: tuple[str, str]
) -> tuple[str, str] | None:
    """Return id and key; None where neither is given.

    Args:
        names: Of the two, for what is wrong with them.

    Raises:
        ConfigError: One is missing, has blanks around it or holds what no key has.
    """
    problems = [
        f"{name}: {why}"
        for name, value, other in (
            (names[0], secret_id, secret_key),
            (names[1], secret_key, secret_id),
        )
        if (why := _wrong(value, other))
    ]
    if problems:
        raise ConfigError(problems)
    return (secret_id, secret_key) if secret_id else None


def _wrong(value: str, other: str) -> str:
    if value != value.strip():
        return "has blanks around it"
    if not value and other:
        return "is missing; id and key go together"
    if not value.isascii():
        return "holds characters that no key has"
    return ""
