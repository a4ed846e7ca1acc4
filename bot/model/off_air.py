"""What is off the air, and the holds against starting it."""

from dataclasses import dataclass

from bot.model.operations import Operation


@dataclass(frozen=True, slots=True)
class OffAirChange:
    """How the end of an operation changes the off-air list.

    Attributes:
        resource_type: The type of the resource; `key`, JSON, identifies it.
        off: Whether it is off now, or on again.
        weight: A change does not replace one of greater weight: it may be off, it is off, it is
            off and something brings it back.
        until: When it ends by itself, epoch seconds; None: it does not.
        announced: The actor said until when.
        minimum_age: Only if it has been off for so many seconds.
        resource_gone: The resource no longer exists, so nothing of it can be brought back.
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
    """What a command would start, in the terms of holds.

    Attributes:
        targets: See `effects.start_targets`.
        known_accounts: The accounts that the policy names: a hold on any other applies to all.
            None: only one on this very account counts.
    """

    account: str
    targets: tuple[str, ...]
    known_accounts: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """A rule that nobody may start a target.

    Attributes:
        target: As `effects.hold_target` names it.
        operation: Id of the operation that began it.
        held_by: The user who placed it.
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
        state: Its state as it was just read; empty if it was not read.
    """

    operation: Operation
    until: float | None
    state: str = ""
