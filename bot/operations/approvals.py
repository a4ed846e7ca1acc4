"""The waiting room: presses of buttons have their effect once; cards remind, widen and expire."""

import asyncio
from dataclasses import dataclass, replace

import structlog

from bot.catalog.registry import action_of, command_of
from bot.errors import StoreError, UnreadableRowError
from bot.model.actions import Approval, Effect, Json
from bot.model.commands import Command
from bot.model.lifecycle import ENDINGS
from bot.model.operations import Choice, Decision, GivenApproval, Operation, Preview, State
from bot.model.verdicts import Denied, Verdict
from bot.operations.authorizer import Authorizer
from bot.operations.worker import Worker, facts_of
from bot.redact import redact
from bot.storage.store import Store
from bot.storage.transition import NEVER, Changes, Effects, Guards, Transition
from bot.supervision import Loop, Supervisor

log = structlog.get_logger("stopstream.approvals")

BEAT = 0.5
"""Seconds between two looks for what must be reminded of or has expired."""

_SPEAK = 2.0
"""Seconds that a changed card may take to reach Slack before the request leaves anyway."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of a decision.

    Attributes:
        counts: It had an effect, if only as one approval of several.
        words: A sentence for whoever decided; empty where the card says it all.
        operation: As it is now; None if there is none.
    """

    counts: bool
    words: str
    operation: Operation | None = None


def _settled(moved: Operation | None, words: str = "") -> Settled | None:
    """Give what came of a transition: words say why it does not count; None if it was lost."""
    return Settled(counts=not words, words=words, operation=moved) if moved else None


class ApprovalService:
    """Settles decisions and looks after what waits.

    Every change is one conditional UPDATE on the row as it was read: who comes second changes
    nothing and is told who was first. Rights are asked before that, so a stranger's press burns
    nothing.
    """

    def __init__(
        self, *, store: Store, engine: Worker, rights: Authorizer, supervisor: Supervisor
    ) -> None:
        self._store = store
        self._supervisor = supervisor
        self._engine = engine
        self._rights = rights
        self._pulse: Loop | None = None
        self._tasks: set[asyncio.Task[Settled]] = set()
        self._held: set[int] = set()

    # --- its own life --------------------------------------------------------------

    def start(self) -> None:
        """Begin to look after what waits, and after presses that others left behind."""
        self._pulse = self._supervisor.start("approvals", self._beat, every=BEAT, longest=_STUCK)

    async def stop(self, grace: float = 4.0) -> None:
        """Settle what is in hand, at most for `grace` seconds; leases run out for the rest."""
        if self._pulse:
            self._pulse.stop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        for task in list(self._tasks):
            task.cancel()

    async def _beat(self) -> None:
        """Look after what waits, and take over presses that nobody settles."""
        try:
            for operation in await self._store.operations.due_waits():
                await self._lapse(operation)
            for decision in await self._store.decisions.claim():
                self.take(decision)
        except StoreError as error:
            log.error("the store does not answer", why=str(error))

    def take(self, decision: Decision) -> None:
        """Settle a decision that is on the books, in a task of its own."""
        if decision.id in self._held:
            return
        self._held.add(decision.id)
        task = asyncio.create_task(self.settle(decision), name=f"decision {decision.id}")
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._let_go(decision, done))

    def _let_go(self, decision: Decision, task: "asyncio.Task[Settled]") -> None:
        self._tasks.discard(task)
        self._held.discard(decision.id)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a decision is not settled yet", operation=decision.operation, why=str(error))
            self._store.leases.release(decision)

    # --- decisions -----------------------------------------------------------------

    async def settle(self, decision: Decision) -> Settled:
        """Let a decision have its effect, and owe its maker a sentence where one is due."""
        settled = await self._decided(decision)
        await self._store.decisions.settle(decision, settled.words)
        return settled

    async def objection(self, decision: Decision) -> str:
        """Say why a choice is not open to somebody, before they write down a reason for it."""
        try:
            operation = await self._store.operations.get(decision.operation)
        except UnreadableRowError:
            return _UNREADABLE
        if operation is None or (stale := _stale(operation, decision)):
            return stale if operation else _NOTHING
        if operation.state is not State.WAITING:
            return _too_late(operation, decision)
        command = command_of(operation)
        if command is None:
            return _UNKNOWN
        verdict = await self._rights.verdict(operation, command)
        refused = await self._rights.refusal(
            operation, command, decision.choice, decision.actor, verdict
        )
        return _sentence(refused) if refused else ""

    async def overtaken(self, before: Operation) -> str:
        """Say what has come after an operation, so that its button no longer means it."""
        return await self._rights.superseded_by(before)

    async def _decided(self, decision: Decision) -> Settled:
        while True:
            try:
                operation = await self._store.operations.get(decision.operation)
            except UnreadableRowError:
                return Settled(counts=False, words=_UNREADABLE)
            if operation is None:
                return Settled(counts=False, words=_NOTHING)
            if stale := _stale(operation, decision):
                return Settled(counts=False, words=stale, operation=operation)
            if operation.state is not State.WAITING:
                late = _too_late(operation, decision)
                return Settled(counts=False, words=late, operation=operation)
            settled = await self._try(operation, decision)
            if settled is not None:
                return settled
            # Somebody was faster, or it has just expired: see what it has become.
            await self._expire(operation)

    async def _try(self, operation: Operation, decision: Decision) -> Settled | None:
        """Decide over an operation as it was read; None if it is not so any more."""
        command, choice = command_of(operation), decision.choice
        if command is None:
            return Settled(counts=False, words=_UNKNOWN, operation=operation)
        verdict = await self._rights.verdict(operation, command)
        refused = await self._rights.refusal(operation, command, choice, decision.actor, verdict)
        if refused is not None:
            return Settled(counts=False, words=_sentence(refused), operation=operation)
        if choice is Choice.DENY or choice is Choice.CANCEL:
            return await self._close(operation, decision)
        verdict = _holding(verdict, operation)
        if isinstance(verdict, Denied):
            moved = await self._end(operation, decision, State.DENIED, verdict.reason)
            policy = verdict.check not in ("held", "overtaken")
            begin = f"The policy no longer lets {operation.actor.user} do this: " if policy else ""
            words = begin + verdict.reason
            return _settled(moved, words)
        return await self._pass(operation, command, decision, verdict)

    async def _close(self, operation: Operation, decision: Decision) -> Settled | None:
        denied = decision.choice is Choice.DENY
        moved = await self._end(operation, decision, State.DENIED if denied else State.CANCELLED)
        return _settled(moved)

    async def _pass(
        self, operation: Operation, command: Command, decision: Decision, verdict: Verdict
    ) -> Settled | None:
        """Confirm, approve, or go without: once it is enough, it is due."""
        choice, preview = decision.choice, operation.preview
        given = await self._rights.approvers(operation, command, verdict)
        user = decision.actor.user
        if choice is Choice.APPROVE:
            if any(one.user == user for one in given):
                left = verdict.needed - len(given)
                words = f"You have approved this already; {_more(left)} must."
                return Settled(counts=False, words=words, operation=operation)
            given = (*given, GivenApproval(user, decision.at))
        if choice is Choice.EMERGENCY and not (
            verdict.break_glass_rule and decision.reason.strip()
        ):
            words = _NO_REASON if verdict.break_glass_rule else _NO_GLASS
            return Settled(counts=False, words=words, operation=operation)
        found = await self._found(command, preview)
        changed = found != preview.state_at_press
        preview = replace(preview, state_at_press=found)
        if changed and command.action.effect is not Effect.STOP:
            return await self._say_changed(operation, decision, preview)
        changes: Changes = {
            "approvals": replace(operation.approvals, given=given, needed=verdict.needed),
            "preview": preview,
        }
        if choice is Choice.APPROVE and len(given) < verdict.needed:
            moved = await self._stay(operation, decision, changes, "approved")
            return _settled(moved)
        changes |= {
            "decided_by": user,
            "reason": redact(decision.reason)[:_LONGEST_REASON],
            "emergency": choice is Choice.EMERGENCY,
        }
        moved = await self._move(
            operation, decision, (State.WAITING, State.DUE), changes, decided=True
        )
        if moved is None:
            return None
        if preview.state_at_press:
            await self._said(moved)
        self._engine.take(moved)
        return Settled(counts=True, words="", operation=moved)

    async def _found(self, command: Command, preview: Preview) -> str:
        """Read the state again where it was known; empty while it is what the card says."""
        now = await self._engine.read_state(command) if preview.state else ""
        return now if now and now != preview.state else ""

    async def _say_changed(
        self, operation: Operation, decision: Decision, preview: Preview
    ) -> Settled | None:
        moved = await self._stay(operation, decision, {"preview": preview}, "changed")
        words = (
            f"Not sent yet: when it was asked the state was {preview.state}, "
            f"now it is {preview.state_at_press or preview.state}. "
            "Press again if you still want it."
        )
        return _settled(moved, words)

    async def _said(self, operation: Operation) -> None:
        """Let the card say first what has changed since it was asked."""
        try:
            async with asyncio.timeout(_SPEAK):
                while await self._store.outbox.is_card_queued(operation.id):  # noqa: ASYNC110 (a row)
                    await asyncio.sleep(0.05)
        except (TimeoutError, StoreError):
            log.warning("the card does not show the change yet", operation=operation.id)

    # --- time ----------------------------------------------------------------------

    async def _lapse(self, operation: Operation) -> None:
        """Remind of a waiting operation, or let it expire. Others may do it at the same time."""
        before = operation.approvals
        rounds = max(1, len(before.escalates_to))
        if await self._expire(operation) or before.remind is None or before.reminded >= rounds:
            return
        wider = before.escalates_to[before.reminded : before.reminded + 1]
        roles = tuple(dict.fromkeys((*before.roles, *wider)))
        after = replace(
            before,
            roles=roles,
            people=self._rights.approver_ids(roles),
            reminded=before.reminded + 1,
        )
        due_in = after.remind if after.reminded < rounds else NEVER
        await self._stay(operation, None, {"approvals": after}, "reminded", due_in=due_in)

    async def _expire(self, operation: Operation) -> bool:
        """Let it expire if its time is over."""
        return await self._end(operation, None, State.EXPIRED) is not None

    # --- transitions ---------------------------------------------------------------

    async def _end(
        self, operation: Operation, decision: Decision | None, state: State, detail: str = ""
    ) -> Operation | None:
        changes: Changes = {"detail": detail}
        if decision is not None and not detail:
            changes["decided_by"] = decision.actor.user
            changes["reason"] = redact(decision.reason)[:_LONGEST_REASON]
        expired = state is State.EXPIRED
        return await self._move(
            operation, decision, (State.WAITING, state), changes, decided=not expired
        )

    async def _stay(
        self,
        operation: Operation,
        decision: Decision | None,
        changes: Changes,
        meanwhile: str,
        *,
        due_in: float | None = None,
    ) -> Operation | None:
        return await self._move(
            operation,
            decision,
            (State.WAITING, State.WAITING),
            changes,
            meanwhile=meanwhile,
            due_in=due_in,
        )

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
        facts = facts_of(after, action_of(operation)) | _facts(decision)
        return await self._store.operations.apply(
            Transition(
                operation.id,
                path,
                facts,
                changes,
                guards=Guards(seq=operation.seq, lapsed=path[-1] is State.EXPIRED),
                meanwhile=meanwhile,
                effects=Effects(decided=decided, due_in=due_in),
            )
        )


_STUCK = 120.0
"""Seconds that one look may take: dozens may have expired at once."""

_LONGEST_REASON = 500
_NO_REASON = "An emergency needs a reason. Nothing was changed."
_NO_GLASS = "The policy no longer lets you skip the second person. Nothing was changed."
_UNKNOWN = "This release of the bot does not know the action; another one has begun it."
_UNREADABLE = "This release of the bot cannot read the request, so nothing was changed."
_NOTHING = "There is no such request. It may be of another installation of this bot."


def _facts(decision: Decision | None) -> dict[str, Json]:
    if decision is None:
        return {}
    return {
        "decision": decision.choice.value,
        "by": decision.actor.user,
        "by_team": decision.actor.team,
        "reason": redact(decision.reason)[:_LONGEST_REASON],
        "press": decision.id,
    }


def _stale(operation: Operation, decision: Decision) -> str:
    """Say what is wrong with a button that does not stand on the operation's card."""
    pressed, place = decision.message_ts, decision.place
    channels = {operation.place.channel, operation.card_channel}
    if pressed and place.channel not in channels:
        return "This button does not belong to this channel, so nothing was done."
    if pressed and operation.card_ts and pressed != operation.card_ts:
        return "This card is out of date, so nothing was done. Use the newest one."
    return ""


def _holding(verdict: Verdict | Denied, operation: Operation) -> Verdict | Denied:
    """Take a verdict that wants more than the card has asked for as a no."""
    if isinstance(verdict, Denied) or verdict.approval.rank <= operation.approval.rank:
        return verdict
    wants = "a second person" if verdict.approval is Approval.SECOND_PERSON else "a confirmation"
    return Denied("approval", f"the policy has changed since and now wants {wants}. Ask again.")


def _sentence(denied: Denied) -> str:
    return f"{denied.reason} Nothing was changed."


def _too_late(operation: Operation, decision: Decision) -> str:
    """Tell who was first."""
    who = "you" if operation.decided_by == decision.actor.user else operation.decided_by
    match operation.state:
        case State.EXPIRED:
            return "Too late: this has expired, nothing was sent. Ask again."
        case State.CANCELLED:
            return f"Too late: {who} cancelled this, nothing was sent."
        case State.DENIED if operation.decided_by and not operation.sent_at:
            return f"Too late: {who} decided against this, nothing was sent."
        case _ if operation.decided_by:
            ended = " and it has ended" if operation.state in ENDINGS else ""
            return f"{who[:1].upper()}{who[1:]} let this through already{ended}; see the card."
        case _:
            return "There is nothing to decide about this; see the card."


def _more(count: int) -> str:
    return "one more person" if count == 1 else f"{count} more people"
