"""What is off the air, and what is held."""

from dataclasses import dataclass

from bot.model.operations import Operation


@dataclass(frozen=True, slots=True)
class OffAirChange:
    """What an ending changes about what is off.

    Attributes:
        resource_type: The sort of thing, and `key`, JSON, which one.
        off: Whether it is off now, or on again.
        weight: What has more of it is not replaced by what has less: it may be off, it is, it is
            and something brings it back.
        until: When it ends by itself, epoch seconds; None: it does not.
        announced: Whoever asked said until when.
        minimum_age: Only if it has been off for so many seconds.
        resource_gone: The thing is no more, so what turned it off before has nothing to bring back.
    """

    account: str
    resource_type: str
    key: str
    off: bool
    weight: int = 0
    until: float | None = None
    announced: bool = False
    minimum_age: float = 0.0
    resource_gone: bool = False


@dataclass(frozen=True, slots=True)
class StartScope:
    """What would be started, as holds name it.

    Attributes:
        targets: See `offair.held_as`.
        known_accounts: The accounts that the policy names: a hold on any other applies to all.
            None: only one on this very account counts.
    """

    account: str
    targets: tuple[str, ...]
    known_accounts: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Nobody may start a target.

    Attributes:
        target: As `offair.held_as` names it.
        operation: Id of the operation that began it.
        held_by: Who holds it.
        since: Epoch seconds.
    """

    account: str
    target: str
    operation: str
    held_by: str
    reason: str
    since: float


@dataclass(frozen=True, slots=True)
class OffAirEntry:
    """Something that was stopped and not started again.

    Attributes:
        operation: What stopped it.
        until: When it ends by itself, epoch seconds; None: it does not.
        state: Its state as it was just read; empty if nobody looked.
    """

    operation: Operation
    until: float | None
    state: str = ""
