"""When a request joins one that waits for the same, and what its going ahead supersedes; pure."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from bot.model.actions import Effect
from bot.model.commands import Command, Via
from bot.model.operations import Operation, State
from bot.operations.audit_facts import facts_of
from bot.storage.transition import Changes, Effects, Supersedes, Transition

_SHARE_LEFT = 0.5
"""The part of its own time to wait that must be left to what a request joins."""


@dataclass(frozen=True, slots=True)
class Joiner:
    """A request that is about to wait.

    Attributes:
        wanted: The operation as it would wait by itself.
        expires: Seconds that it would wait for.
        may_approve: Tells whether its asker may approve what waits.
    """

    wanted: Operation
    expires: float
    may_approve: Callable[[Operation], bool]

    def may_join(self, waiting: Operation, now: float) -> bool:
        """Return whether joining costs the asker nothing: they can act on that card, at once.

        Else one person's request would keep those from a stop who may do more than it asks.
        """
        return (
            self._sees(waiting, now)
            and waiting.approval is self.wanted.approval
            and (self._keeps_own(waiting) or self._can_approve(waiting))
        )

    def _sees(self, waiting: Operation, now: float) -> bool:
        """Return whether it waits where it was asked, for long enough, and for the same reason."""
        wanted = self.wanted
        left = (waiting.expires_at or now) - now
        return (
            waiting.place.channel == wanted.place.channel
            # A card is nothing to a terminal, which is used when Slack is down.
            and (waiting.via is Via.TERMINAL) is (wanted.via is Via.TERMINAL)
            and waiting.origin.request_of == wanted.origin.request_of
            and waiting.origin.undoes == wanted.origin.undoes
            and left >= self.expires * _SHARE_LEFT
        )

    def _keeps_own(self, waiting: Operation) -> bool:
        """Return whether it is the asker's own request, with all that this one would offer."""
        wanted, own, theirs = self.wanted, self.wanted.approvals, waiting.approvals
        return (
            waiting.actor == wanted.actor
            and theirs.needed - len(theirs.given) <= own.needed
            and set(own.roles) <= set(theirs.roles)
            and bool(theirs.break_glass_rule) >= bool(own.break_glass_rule)
        )

    def _can_approve(self, waiting: Operation) -> bool:
        """Return whether their approval takes it at least as far as a request of their own."""
        wanted, own, theirs = self.wanted, self.wanted.approvals, waiting.approvals
        left = theirs.needed - len(theirs.given) - 1
        return (
            wanted.via is not Via.TERMINAL
            # Only who asked may break the glass.
            and not own.break_glass_rule
            and all(one.user != wanted.actor.user for one in theirs.given)
            and (left <= 0 or (left < own.needed and set(own.roles) <= set(theirs.roles)))
            and self.may_approve(waiting)
        )


def superseded_by_ending(
    operation: Operation, command: Command, after: Operation
) -> Supersedes | None:
    """Return what ends with an operation; None where nothing does.

    What has failed, or may not have run, leaves those that wait: one of them may be needed yet.

    Args:
        operation: With the parameters that were asked for.
        after: As it is stored.
    """
    if command.action.effect is Effect.READ or after.state not in (State.ACCEPTED, State.ALREADY):
        return None

    def end(waiting: Operation) -> Transition:
        user = operation.actor.user
        changes: Changes = {
            "detail": f"{user} asked for the same, and that went ahead, so this was not sent.",
            "decided_by": user,
            "duplicate_of": operation.id,
        }
        ended = replace(waiting, state=State.CANCELLED, **changes)
        path = (State.WAITING, State.CANCELLED)
        facts = facts_of(ended, command.action)
        return Transition(waiting.id, path, facts, changes, effects=Effects(decided=True))

    return Supersedes(operation, end)
