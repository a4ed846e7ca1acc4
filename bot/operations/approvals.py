"""The operations that wait for an approval: settles decisions; reminds, widens and expires."""

import asyncio
from dataclasses import replace

import structlog

from bot.errors import StoreError
from bot.model.operations import Decision, Operation
from bot.operations.approval_transitions import ApprovalTransitions
from bot.operations.authorizer import Authorizer
from bot.operations.decisions import Decisions
from bot.operations.results import Objection, Settled
from bot.storage.store import Store
from bot.storage.transition import NEVER
from bot.supervision import Loop, Supervisor

log = structlog.get_logger("stopstream.approvals")

BEAT = 0.5
"""Seconds between two looks for operations that are due for a reminder or have expired."""

_STUCK = 120.0
"""Seconds that one look may take: dozens may have expired at once."""


class ApprovalService:
    """Settles recorded decisions, and keeps the time of what waits."""

    def __init__(
        self,
        *,
        store: Store,
        authorizer: Authorizer,
        decisions: Decisions,
        transitions: ApprovalTransitions,
        supervisor: Supervisor,
    ) -> None:
        self._store = store
        self._authorizer = authorizer
        self._decisions = decisions
        self._transitions = transitions
        self._supervisor = supervisor
        self._loop: Loop | None = None
        self._tasks: set[asyncio.Task[Settled]] = set()
        self._settling: set[int] = set()
        store.leases.track("decisions", self._settling.copy)

    def start(self) -> None:
        """Begin to remind and expire, and to settle decisions that other replicas have left."""
        self._loop = self._supervisor.start("approvals", self._look, every=BEAT, longest=_STUCK)

    async def stop(self, grace: float = 4.0) -> None:
        """Settle what is in progress, at most for `grace` seconds; other leases run out."""
        if self._loop:
            self._loop.stop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        for task in list(self._tasks):
            task.cancel()

    def take(self, decision: Decision) -> None:
        """Settle a recorded decision, in a task of its own."""
        if decision.id in self._settling:
            return
        self._settling.add(decision.id)
        task = asyncio.create_task(self.settle(decision), name=f"decision {decision.id}")
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._done(decision, done))

    async def settle(self, decision: Decision) -> Settled:
        """Let a decision have its effect, and queue a sentence to its maker where one is due."""
        self._settling.add(decision.id)
        try:
            settled = await self._decisions.settle(decision)
            await self._store.decisions.settle(decision, settled.words)
        finally:
            self._settling.discard(decision.id)
        return settled

    async def objection(self, decision: Decision) -> Objection | None:
        """Return why a choice is not open to somebody, before they write down a reason for it."""
        return await self._decisions.objection(decision)

    def _done(self, decision: Decision, task: "asyncio.Task[Settled]") -> None:
        self._tasks.discard(task)
        self._settling.discard(decision.id)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a decision is not settled yet", operation=decision.operation, why=str(error))
            self._store.leases.release(decision)

    async def _look(self) -> None:
        """Remind of what waits or expire it, and take decisions that no replica settles."""
        try:
            for operation in await self._store.operations.due_waits():
                await self._remind_or_expire(operation)
            for decision in await self._store.decisions.claim():
                self.take(decision)
        except StoreError as error:
            log.error("the store does not answer", why=str(error))

    async def _remind_or_expire(self, operation: Operation) -> None:
        """Expire a waiting operation, or remind of it. Other replicas may do so as well."""
        before = operation.approvals
        rounds = max(1, len(before.escalates_to))
        expired = await self._transitions.expire(operation) is not None
        if expired or operation.unsigned or before.remind is None or before.reminded >= rounds:
            return
        wider = before.escalates_to[before.reminded : before.reminded + 1]
        roles = tuple(dict.fromkeys((*before.roles, *wider)))
        after = replace(
            before,
            roles=roles,
            people=self._authorizer.approver_ids(roles),
            reminded=before.reminded + 1,
        )
        due_in = after.remind if after.reminded < rounds else NEVER
        await self._transitions.stay(operation, None, "reminded", approvals=after, due_in=due_in)
