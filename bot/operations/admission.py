"""Takes the policy's verdict on an operation to the queue, an approval or a denial."""

import time
from collections.abc import Callable
from dataclasses import replace

from bot.catalog import readings as sights
from bot.model.actions import Approval
from bot.model.commands import Command, Via
from bot.model.messages import MessageKind
from bot.model.operations import Operation, State
from bot.model.ports import Cloud
from bot.model.verdicts import Denied, DryRunResult, Verdict
from bot.operations.account_domains import AccountDomains
from bot.operations.audit_facts import facts_of, preview_facts
from bot.operations.authorizer import Authorizer
from bot.operations.joining import Joiner
from bot.operations.near_targets import Near, NearTargets
from bot.operations.scheduler import QueuedRequest, Scheduler
from bot.operations.state_reader import StateReader
from bot.operations.transitions import TO_RUNNING, Transitions
from bot.storage.store import Store
from bot.storage.transition import NEVER, Changes, Effects, Guards, Transition
from bot.traces import Traces


class Admission:
    """Decides what becomes of an operation that was asked.

    Args:
        clock: Epoch seconds.
    """

    def __init__(
        self,
        *,
        store: Store,
        cloud: Cloud,
        authorizer: Authorizer,
        reader: StateReader,
        near: NearTargets,
        domains: AccountDomains,
        transitions: Transitions,
        scheduler: Scheduler,
        traces: Traces,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._cloud = cloud
        self._authorizer = authorizer
        self._reader = reader
        self._near = near
        self._domains = domains
        self._transitions = transitions
        self._scheduler = scheduler
        self._traces = traces
        self._clock = clock

    async def admit(self, operation: Operation, command: Command, *, bulk: bool) -> None:
        """Queue an operation, let it wait for an approval, or deny it.

        Raises:
            StoreError: It stays as it is.
        """
        # Nobody is asked to approve what was forgotten.
        old = self._transitions.may_be_too_old(operation)
        if old and await self._transitions.end_too_old(operation, command) is not None:
            return
        with self._traces.span(operation.id, "policy") as span:
            verdict, near = await self._verdict(operation, command, bulk=bulk)
            allowed = isinstance(verdict, Verdict)
            result = verdict.approval.value if isinstance(verdict, Verdict) else verdict.check
            span.note({"stopstream.allowed": allowed, "stopstream.verdict": result})
        if isinstance(verdict, Denied):
            request_from = _request_from(operation, verdict)
            await self._transitions.deny(operation, command, verdict, request_from)
        elif verdict.approval is not Approval.NONE:
            await self._wait_for_approval(operation, command, verdict, near)
        else:
            await self._queue(operation, command, verdict, near.state, bulk=bulk)

    async def dry_run(self, operation: Operation, command: Command) -> DryRunResult:
        """Return what would become of a command; nothing is sent and nothing is stored."""
        verdict, near = await self._verdict(operation, command, bulk=False)
        if command.action.product.local:
            return DryRunResult(command, verdict, (), None)
        people: tuple[str, ...] = ()
        if isinstance(verdict, Verdict) and verdict.approval is Approval.SECOND_PERSON:
            people = self._authorizer.approver_ids(verdict.approvers)
        request = self._cloud.preview(command)
        return DryRunResult(command, verdict, people, request, live_instead=near.instead)

    async def _verdict(
        self, operation: Operation, command: Command, *, bulk: bool
    ) -> tuple[Verdict | Denied, Near]:
        """Return what the policy says, and what the account's domains and live names add to it."""
        verdict = await self._authorizer.verdict(operation, command)
        if isinstance(verdict, Denied):
            return verdict, Near()
        if (refusal := await self._domains.refusal(operation, command)) is not None:
            return refusal, Near()
        # Those of a bulk come from a list, and would wait for their turn to read.
        near = Near() if bulk else await self._near.find(operation, command)
        if near.instead and verdict.approval is Approval.NONE:
            verdict = replace(verdict, approval=Approval.CONFIRM)
        return verdict, near

    async def _queue(
        self,
        operation: Operation,
        command: Command,
        verdict: Verdict,
        state: str | None,
        *,
        bulk: bool,
    ) -> None:
        changes = _verdict_changes(verdict)
        path: tuple[State, ...] = (State.ASKED, *TO_RUNNING)
        if self._scheduler.backlog(command) > command.action.per_second:
            # It waits for longer than a second, so its card shows that it does.
            due = (State.ASKED, State.DUE)
            waiting = await self._transitions.move(
                operation, command, due, changes, enqueue=(MessageKind.CARD,)
            )
            if waiting is None:
                return
            operation, path, changes = waiting, TO_RUNNING, {}
        judged_at = self._clock()
        self._scheduler.enqueue(
            QueuedRequest(operation, command, path, changes, judged_at, bulk, state)
        )

    async def _wait_for_approval(
        self,
        operation: Operation,
        command: Command,
        verdict: Verdict,
        near: Near,
    ) -> None:
        """Let it wait for a confirmation or a second person, or join one that waits already."""
        transition = await self._waiting(operation, command, verdict, near)
        wanted = replace(operation, **transition.changes)
        joiner = Joiner(
            wanted, verdict.expires, await self._authorizer.approver_check(operation, command)
        )
        waits = await self._store.operations.wait(transition, operation, joiner.may_join)
        if waits is None:
            return
        if waits.id == operation.id:
            self._transitions.wake(waits)
            return
        duplicate: Changes = {
            "rule": verdict.rule,
            "detail": f"{waits.actor.user} already asked for this.",
            "duplicate_of": waits.id,
            "card_channel": waits.card_channel,
            "card_ts": waits.card_ts,
        }
        cancelled = (State.ASKED, State.CANCELLED)
        await self._transitions.move(operation, command, cancelled, duplicate)

    async def _waiting(
        self,
        operation: Operation,
        command: Command,
        verdict: Verdict,
        near: Near,
    ) -> Transition:
        """Return the transition to WAITING, with what the card shows to those who decide."""
        second = verdict.approval is Approval.SECOND_PERSON
        roles = verdict.approvers if second else ()
        hidden = await self._reader.hidden_reads(operation, command)
        state, readings = await self._reader.preview(command, hidden, near.state)
        readings += (sights.unshown(hidden),) if hidden else ()
        approvals = replace(
            operation.approvals,
            needed=verdict.needed if second else 1,
            roles=roles,
            people=self._authorizer.approver_ids(roles),
            escalates_to=verdict.escalates_to if second else (),
            remind=verdict.remind,
            break_glass_rule=verdict.break_glass_rule,
            lacking=verdict.lacking,
        )
        preview = replace(
            operation.preview, state=state or "", readings=readings, live_instead=near.instead
        )
        changes = _verdict_changes(verdict) | Changes(approvals=approvals, preview=preview)
        after = replace(operation, state=State.WAITING, **changes)
        return Transition(
            operation.id,
            (State.ASKED, State.WAITING),
            facts_of(after, command.action) | preview_facts(preview),
            changes,
            guards=Guards(owner=self._store.session.owner),
            effects=Effects(due_in=verdict.remind or NEVER, expires_in=verdict.expires),
        )


def _verdict_changes(verdict: Verdict) -> Changes:
    return {
        "rule": verdict.rule,
        "approval": verdict.approval,
        "runbook": verdict.runbook,
    }


def _request_from(operation: Operation, denied: Denied) -> tuple[str, ...]:
    """Return the roles that may be asked to let it pass, in a channel where they can answer."""
    # Direct messages, a channel whose id begins with D, are seen by nobody else.
    private = operation.place.channel[:1] in ("", "D") or operation.via is Via.TERMINAL
    return () if private or operation.origin.request_of else denied.request_from
