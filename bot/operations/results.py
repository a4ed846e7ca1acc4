"""What the use cases return."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from bot.commands.parsed import Audit, Form, Help, OffAir, WhoAmI
from bot.errors import ParseError
from bot.model.commands import Command
from bot.model.off_air import OffAirEntry
from bot.model.operations import Operation, Search
from bot.model.people import Person
from bot.policy.explanation import Permission


@dataclass(frozen=True, slots=True)
class Accepted:
    """It is stored, and will be decided, run and answered.

    Attributes:
        again: It was stored before: Slack delivered it twice.
    """

    operation: Operation
    again: bool = False


@dataclass(frozen=True, slots=True)
class Invalid:
    """The text is not a command; recorded, nothing done."""

    error: ParseError


@dataclass(frozen=True, slots=True)
class NotRecorded:
    """It could not be recorded, or means nothing any more, so nothing is done.

    Attributes:
        instead: What to type for it.
    """

    sentence: str
    instead: Command | None = None


@dataclass(frozen=True, slots=True)
class ReasonMissing:
    """A button means what may need one of the policy's reasons, so nothing is recorded yet."""

    command: Command


@dataclass(frozen=True, slots=True)
class DryRun:
    """Nothing will be sent; what would be is looked up."""

    command: Command


Reply: TypeAlias = DryRun | Accepted | Invalid | NotRecorded | Help | Form | WhoAmI | Audit | OffAir

PressReply: TypeAlias = Reply | ReasonMissing
"""The reply to a button, which can't say a reason by itself."""


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a choice is not open to somebody, as a sentence for them."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Touched:
    """What an operation that waits would touch, read with the rights of one who may decide.

    Attributes:
        operation: With what was read in the place of its preview.
        at: When it was read, epoch seconds.
        hidden: Whether there are reads that its reader may not make either.
    """

    operation: Operation
    at: float
    hidden: bool


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of a decision.

    Attributes:
        counts: It had an effect, if only as one approval of several.
        words: A sentence for the decider; empty where the card says it all.
        operation: As it is now; None if there is none.
    """

    counts: bool
    words: str
    operation: Operation | None = None


@dataclass(frozen=True, slots=True)
class LiveStream:
    """A stream that is live."""

    stream: str
    domain: str
    app: str


@dataclass(frozen=True, slots=True)
class LiveList:
    """The streams that are live on an account, and how that is known.

    Attributes:
        age: Seconds since it was known to be so; None where callbacks alone say it.
        told: Seconds since the callback that said it, of each stream, where callbacks alone do.
    """

    streams: tuple[LiveStream, ...] = ()
    age: float | None = 0.0
    told: Mapping[LiveStream, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Permissions:
    """Who somebody is to the policy, in one place.

    Attributes:
        here: Whether the bot is there, without which nothing can be done there.
        direct: Whether the place is a direct message, into which nobody can invite the bot.
        elsewhere: What they may in each channel that the rules of their roles name; empty
            where it is not asked.
        groups_age: Seconds since Slack told who is in the groups that roles name; None where
            none is named.
    """

    person: Person
    roles: tuple[str, ...]
    may: tuple[Permission, ...]
    here: bool = True
    direct: bool = False
    elsewhere: tuple[tuple[str, tuple[Permission, ...]], ...] = ()
    groups_age: float | None = None


@dataclass(frozen=True, slots=True)
class SearchPage:
    """What a search found, the newest first.

    Attributes:
        search: As it was done; its `reader` is empty for a person who may read everything.
        older: There are more.
    """

    search: Search
    operations: tuple[Operation, ...]
    older: bool


@dataclass(frozen=True, slots=True)
class OffAirList:
    """What is off and not yet on, and what is held, the newest first.

    Attributes:
        holds: The operations that hold.
        on: What was listed until now, and was seen to be on again.
        may: Whether they may be told.
    """

    off: tuple[OffAirEntry, ...] = ()
    holds: tuple[Operation, ...] = ()
    on: tuple[OffAirEntry, ...] = ()
    may: bool = True
