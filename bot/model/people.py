"""Users, their place in a workspace, and where they ask."""

from dataclasses import dataclass, field
from enum import StrEnum


class Presence(StrEnum):
    """Whether the bot is in a channel; UNKNOWN where Slack did not say."""

    IN = "in"
    OUT = "out"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks or decides: a user of a workspace. Ids as Slack gives them."""

    team: str
    user: str


@dataclass(frozen=True, slots=True)
class Person:
    """What Slack says of a user; what it left out is read as a restriction."""

    user: str
    team: str
    bot: bool = False
    guest: bool = False
    deactivated: bool = False
    stranger: bool = False
    """Of another workspace."""


@dataclass(frozen=True, slots=True)
class NamedUser:
    """A user as people know them; both names are foreign text.

    Attributes:
        name: What Slack shows.
        handle: The short name of the account.
    """

    user: str
    name: str
    handle: str


@dataclass(frozen=True, slots=True)
class UsersByName:
    """Who has a name.

    Attributes:
        complete: Whether everyone was looked at.
    """

    users: tuple[NamedUser, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where it was asked and where the answer goes.

    Attributes:
        channel: Channel id; empty from a terminal without one.
        thread_ts: The thread it was asked in, or empty.
        reply_url: Slack's `response_url`: may be used 5 times within 30 minutes.
    """

    channel: str
    thread_ts: str = ""
    reply_url: str = field(default="", repr=False)
