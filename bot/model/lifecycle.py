"""The transitions of an operation, and the audit record and messages of each."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.model.messages import MessageKind
from bot.model.operations import State

ENDINGS = frozenset(
    {
        State.ACCEPTED,
        State.ALREADY,
        State.FAILED,
        State.UNKNOWN,
        State.DENIED,
        State.INVALID,
        State.EXPIRED,
        State.CANCELLED,
    }
)
"""Final states."""

IN_HAND = frozenset({State.ASKED, State.DUE, State.RUNNING})
"""States in which a replica must be working on the operation."""


@dataclass(frozen=True, slots=True)
class Step:
    """The effects of one transition.

    Attributes:
        record: Kind of the audit record.
        owes: Messages to queue, in this order.
    """

    record: str
    owes: tuple[MessageKind, ...] = ()


_THROUGH = (MessageKind.CARD, MessageKind.ENDING, MessageKind.AUDIT)
_ENDED = Step("ended", _THROUGH)

BEGINNINGS: Mapping[State, Step] = {
    State.ASKED: Step("asked"),
    # The mistake itself is answered with the ack.
    State.INVALID: Step("invalid"),
}

STEPS: Mapping[tuple[State, State], Step] = {
    (State.ASKED, State.DUE): Step("allowed"),
    (State.ASKED, State.WAITING): Step("waiting", (MessageKind.CARD,)),
    # The same is waiting already: the asker is shown that card.
    (State.ASKED, State.CANCELLED): Step("joined", (MessageKind.PRIVATE,)),
    (State.WAITING, State.DUE): Step("decided", (MessageKind.CARD, MessageKind.AUDIT)),
    # By an approver, or because the policy has changed since.
    (State.WAITING, State.DENIED): Step("denied", _THROUGH),
    (State.WAITING, State.CANCELLED): Step("cancelled", _THROUGH),
    (State.WAITING, State.EXPIRED): Step("expired", _THROUGH),
    (State.ASKED, State.DENIED): Step("denied", (MessageKind.PRIVATE, MessageKind.AUDIT)),
    # Too old to be sent.
    (State.ASKED, State.FAILED): _ENDED,
    (State.DUE, State.FAILED): _ENDED,
    # Rights, or the policy, may be gone by the time it is sent.
    (State.DUE, State.DENIED): Step("denied", _THROUGH),
    (State.DUE, State.RUNNING): Step("sending", (MessageKind.CARD,)),
    # Sent again after a lost answer: only what may run twice.
    (State.RUNNING, State.RUNNING): Step("sending again", (MessageKind.CARD,)),
    # Refused before it ran (throttled) or never sent: it waits for its next try.
    (State.RUNNING, State.DUE): Step("not run", (MessageKind.CARD,)),
    (State.RUNNING, State.ACCEPTED): _ENDED,
    (State.RUNNING, State.ALREADY): _ENDED,
    (State.RUNNING, State.FAILED): _ENDED,
    (State.RUNNING, State.UNKNOWN): _ENDED,
}

MEANWHILE: Mapping[str, Step] = {
    "approved": Step("decided", (MessageKind.CARD,)),
    "changed": Step("changed", (MessageKind.CARD,)),
    "reminded": Step("reminded", (MessageKind.CARD, MessageKind.REMINDER)),
}
"""What may happen to an operation that stays in WAITING."""


def step(before: State, after: State, meanwhile: str = "") -> Step:
    """Return the effects of a transition.

    Raises:
        KeyError: It is not allowed.
    """
    if before is after is State.WAITING:
        return MEANWHILE[meanwhile]
    return STEPS[before, after]
