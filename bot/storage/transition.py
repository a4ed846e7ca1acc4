"""A transition of an operation: its path, what it depends on, and what else it changes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from bot.model.actions import Approval, Json, Params
from bot.model.live_notices import WatchBegin, WatchScope
from bot.model.messages import MessageKind
from bot.model.off_air import Hold, OffAirChange, StartScope
from bot.model.operations import Approvals, LiveBefore, Operation, Origin, Preview, State

NEVER = 1e9
"""Seconds after which nothing more is due."""


class Changes(TypedDict, total=False):
    """The fields of an operation that a transition may set, by their names in the model."""

    approval: Approval
    approvals: Approvals
    attempts: int
    card_channel: str
    card_ts: str
    code: str
    decided_by: str
    detail: str
    duplicate_of: str
    duration: float
    emergency: bool
    error_message: str
    live_before: LiveBefore
    live_now: tuple[Params, ...]
    origin: Origin
    params: Params
    preview: Preview
    reason: str
    request_id: str
    result: Params
    rule: str
    runbook: str


@dataclass(frozen=True, slots=True)
class Guards:
    """Conditions of a transition besides the state; where one is not met, nothing happens.

    Attributes:
        owner: The replica that must hold the lease; empty for any.
        seq: The `seq` that the row must still have; None for any.
        lapsed: Whether the operation must have expired, or must not; None for either.
        start_scope: What this would start, which nobody may hold.
        younger_than: Seconds that may have passed since it was asked, or since the last
            consent to it; None for any time.
        older_than: Seconds that must have passed since then; None for any time.
    """

    owner: str = ""
    seq: int | None = None
    lapsed: bool | None = None
    start_scope: StartScope | None = None
    younger_than: float | None = None
    older_than: float | None = None


@dataclass(frozen=True, slots=True)
class Effects:
    """What a transition does in the same transaction, besides its changes.

    Attributes:
        due_in: Seconds until a DUE operation may be tried, or a WAITING one sends a reminder;
            None leaves that as it is.
        expires_in: Seconds from now until it expires; None leaves that as it is.
        verify_in: Seconds until its effect is verified; None for no verification.
        decided: Whether it is decided now.
        enqueue: Messages to enqueue besides those of the steps.
        unsaid: Messages of the steps that are not enqueued.
        off_air: The change to the list of what is off the air.
        hold: A hold that begins.
        release: The scope whose holds end.
        watch: A watch that begins.
        unwatch: The scope whose watches end.
        supersedes: What waits for the same and ends with this; None: nothing does.
    """

    due_in: float | None = 0.0
    expires_in: float | None = None
    verify_in: float | None = None
    decided: bool = False
    enqueue: tuple[MessageKind, ...] = ()
    unsaid: tuple[MessageKind, ...] = ()
    off_air: OffAirChange | None = None
    hold: Hold | None = None
    release: StartScope | None = None
    watch: WatchBegin | None = None
    unwatch: WatchScope | None = None
    supersedes: "Supersedes | None" = None


@dataclass(frozen=True, slots=True)
class LateAnswer:
    """What the cloud answered to a request, where no transition takes it.

    Another replica has taken the operation over, or it is to be sent again.

    Attributes:
        state: The ending that it would have been, or DUE where it was to be sent again.
        code: Of a refusal.
        off_air: The change that this ending makes to the list of what is off the air.
        verify_in: Seconds until its effect is verified; None for no verification.
        refused_try: The which-th try it was, where no earlier one may have run, and this one was
            refused; 0 for all others.
    """

    operation: str
    state: State
    request_id: str
    code: str
    off_air: OffAirChange | None = None
    verify_in: float | None = None
    refused_try: int = 0


@dataclass(frozen=True, slots=True)
class Transition:
    """A conditional change of an operation's state, with everything that belongs to it.

    Attributes:
        path: States to pass; it must be in the first one now.
        facts: For the audit log, the same in the record of every step.
        changes: Fields to set besides the state.
        meanwhile: What happens to it while it goes on waiting; see `lifecycle.MEANWHILE`.
    """

    id: str
    path: tuple[State, ...]
    facts: Mapping[str, Json]
    changes: Changes = field(default_factory=Changes)
    guards: Guards = field(default_factory=Guards)
    effects: Effects = field(default_factory=Effects)
    meanwhile: str = ""


@dataclass(frozen=True, slots=True)
class Supersedes:
    """What still waits for an approval and ends because another operation has done the same.

    Attributes:
        done: The other operation, with the parameters that were asked for.
        end: Returns the transition by which a waiting operation ends.
    """

    done: Operation
    end: Callable[[Operation], Transition]
