"""Moves operations that wait for an approval; each move is one conditional UPDATE."""

from dataclasses import replace

from bot.catalog.registry import action_of
from bot.metrics import Metrics
from bot.model.actions import Json
from bot.model.operations import Approvals, Decision, Operation, Preview, State
from bot.model.verdicts import Denied
from bot.operations.audit_facts import facts_of
from bot.operations.transition_log import log_transition
from bot.redact import redact
from bot.storage.store import Store
from bot.storage.transition import Changes, Effects, Guards, Transition

_LONGEST_REASON = 500


class ApprovalTransitions:
    """Stores what becomes of a waiting operation, as long as its row is as it was read.

    Each method returns the operation after it, or None if the row has changed.
    """

    def __init__(self, store: Store, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics

    async def stay(
        self,
        operation: Operation,
        decision: Decision | None,
        meanwhile: str,
        *,
        approvals: Approvals | None = None,
        preview: Preview | None = None,
        due_in: float | None = None,
    ) -> Operation | None:
        """Let it wait on, with other approvals or another preview.

        Args:
            meanwhile: What has happened, for the audit log.
            approvals: None leaves those it has, and so for `preview`.
            due_in: Seconds until it reminds; None leaves that as it is.
        """
        changes = Changes()
        if approvals is not None:
            changes["approvals"] = approvals
        if preview is not None:
            changes["preview"] = preview
        return await self._move(
            operation,
            decision,
            (State.WAITING, State.WAITING),
            changes,
            meanwhile=meanwhile,
            due_in=due_in,
        )

    async def release(
        self,
        operation: Operation,
        decision: Decision,
        *,
        approvals: Approvals,
        preview: Preview,
        emergency: bool,
    ) -> Operation | None:
        """Let it run: it has every approval that it needs."""
        changes: Changes = {
            "approvals": approvals,
            "preview": preview,
            "decided_by": decision.actor.user,
            "reason": _reason(decision),
            "emergency": emergency,
        }
        path = (State.WAITING, State.DUE)
        return await self._move(operation, decision, path, changes, decided=True)

    async def close(
        self, operation: Operation, decision: Decision, state: State
    ) -> Operation | None:
        """End it as its decider wants."""
        changes: Changes = {
            "detail": "",
            "decided_by": decision.actor.user,
            "reason": _reason(decision),
        }
        return await self._move(operation, decision, (State.WAITING, state), changes, decided=True)

    async def deny(
        self, operation: Operation, decision: Decision, denied: Denied
    ) -> Operation | None:
        """End it because the policy no longer allows it."""
        path = (State.WAITING, State.DENIED)
        changes: Changes = {"detail": denied.reason, "rule": denied.rule}
        return await self._move(operation, decision, path, changes, decided=True)

    async def expire(self, operation: Operation) -> Operation | None:
        """End it if its time is over."""
        path = (State.WAITING, State.EXPIRED)
        return await self._move(operation, None, path, {"detail": ""})

    async def _move(
        self,
        operation: Operation,
        decision: Decision | None,
        path: tuple[State, State],
        changes: Changes,
        *,
        decided: bool = False,
        meanwhile: str = "",
        due_in: float | None = 0.0,
    ) -> Operation | None:
        after = replace(operation, state=path[-1], **changes)
        facts = facts_of(after, action_of(operation)) | _decision_facts(decision)
        moved = await self._store.operations.apply(
            Transition(
                operation.id,
                path,
                facts,
                changes,
                guards=Guards(seq=operation.seq, lapsed=path[-1] is State.EXPIRED),
                effects=Effects(decided=decided, due_in=due_in),
                meanwhile=meanwhile,
            )
        )
        if moved is not None:
            log_transition(moved, path[0], self._metrics)
        return moved


def _reason(decision: Decision) -> str:
    return redact(decision.reason, _LONGEST_REASON)


def _decision_facts(decision: Decision | None) -> dict[str, Json]:
    if decision is None:
        return {}
    return {
        "decision": decision.choice.value,
        "by": decision.actor.user,
        "by_team": decision.actor.team,
        "reason": _reason(decision),
        "press": decision.id,
    }
