"""What a decision over a waiting operation comes to; each has its effect once."""

import asyncio
from dataclasses import replace

import structlog

from bot.catalog.registry import command_of
from bot.errors import StoreError, UnreadableRowError
from bot.model.actions import Approval, Effect
from bot.model.commands import Command
from bot.model.lifecycle import ENDINGS
from bot.model.operations import Choice, Decision, GivenApproval, Operation, Preview, State
from bot.model.verdicts import Denied, Verdict
from bot.operations.approval_transitions import ApprovalTransitions
from bot.operations.authorizer import Authorizer
from bot.operations.results import Objection, Settled
from bot.operations.state_reader import StateReader
from bot.operations.worker import Worker
from bot.storage.store import Store

log = structlog.get_logger("stopstream.approvals")

_SPEAK = 2.0
"""Seconds that a changed card may take to reach Slack before the request leaves anyway."""


class Decisions:
    """Lets decisions have their effect.

    Every change is one conditional UPDATE on the row as it was read: a second decider changes
    nothing and is told who was first. The policy is asked before that, so that the press of a
    person without rights uses up nothing.
    """

    def __init__(
        self,
        *,
        store: Store,
        authorizer: Authorizer,
        reader: StateReader,
        transitions: ApprovalTransitions,
        worker: Worker,
    ) -> None:
        self._store = store
        self._authorizer = authorizer
        self._reader = reader
        self._transitions = transitions
        self._worker = worker

    async def objection(self, decision: Decision) -> Objection | None:
        """Return why a choice is not open to somebody, before they write down a reason for it."""
        try:
            operation = await self._store.operations.get(decision.operation)
        except UnreadableRowError:
            return Objection(_UNREADABLE)
        if (outsider := await self._authorizer.outsider(decision.actor, operation)) is not None:
            return Objection(outsider.reason)
        if operation is None:
            return Objection(_NOTHING)
        if (late := _no_longer_open(operation, decision)) is not None:
            return late
        command = command_of(operation)
        if command is None:
            return Objection(_UNKNOWN)
        verdict = await self._authorizer.verdict(operation, command)
        return await self._refusal(operation, command, decision, verdict)

    async def settle(self, decision: Decision) -> Settled:
        """Let a decision have its effect, and return what came of it."""
        while True:
            try:
                operation = await self._store.operations.get(decision.operation)
            except UnreadableRowError:
                return Settled(counts=False, words=_UNREADABLE)
            outsider = await self._authorizer.outsider(decision.actor, operation)
            if outsider is not None:
                return Settled(counts=False, words=outsider.reason, operation=operation)
            if operation is None:
                return Settled(counts=False, words=_NOTHING)
            if operation.unsigned:
                await self._store.operations.examine(operation.id)
            if (late := _no_longer_open(operation, decision)) is not None:
                return Settled(counts=False, words=late.sentence, operation=operation)
            settled = await self._decide(operation, decision)
            if settled is not None:
                return settled
            # Another decision was first, or it has just expired: read it again.
            await self._transitions.expire(operation)

    async def _refusal(
        self,
        operation: Operation,
        command: Command,
        decision: Decision,
        verdict: Verdict | Denied,
    ) -> Objection | None:
        refused = await self._authorizer.refusal(
            operation, command, decision.choice, decision.actor, verdict
        )
        return Objection(f"{refused.reason} Nothing was changed.") if refused else None

    async def _decide(self, operation: Operation, decision: Decision) -> Settled | None:
        """Decide over an operation as it was read; None if its row has changed."""
        command, choice = command_of(operation), decision.choice
        if command is None:
            return Settled(counts=False, words=_UNKNOWN, operation=operation)
        verdict = await self._authorizer.verdict(operation, command)
        refused = await self._refusal(operation, command, decision, verdict)
        if refused is not None:
            return Settled(counts=False, words=refused.sentence, operation=operation)
        if choice is Choice.DENY or choice is Choice.CANCEL:
            state = State.DENIED if choice is Choice.DENY else State.CANCELLED
            return _settled(await self._transitions.close(operation, decision, state))
        verdict = _not_stricter(verdict, operation)
        if isinstance(verdict, Denied):
            moved = await self._transitions.deny(operation, decision, verdict)
            policy = verdict.check not in ("held", "overtaken")
            begin = f"The policy no longer lets {operation.actor.user} do this: " if policy else ""
            return _settled(moved, begin + verdict.reason)
        return await self._approve(operation, command, decision, verdict)

    async def _approve(
        self, operation: Operation, command: Command, decision: Decision, verdict: Verdict
    ) -> Settled | None:
        """Confirm, approve, or go without a second person: with enough approvals it is due."""
        choice, before = decision.choice, operation.preview
        given = await self._authorizer.approvers(operation, command, verdict)
        if objection := _not_counted(given, decision, verdict):
            return Settled(counts=False, words=objection.sentence, operation=operation)
        if choice is Choice.APPROVE:
            given = (*given, GivenApproval(decision.actor.user, decision.at))
        preview = replace(before, state_at_press=await self._changed_state(command, before))
        if preview != before and command.action.effect is not Effect.STOP:
            return await self._report_change(operation, decision, preview)
        approvals = replace(operation.approvals, given=given, needed=verdict.needed)
        if choice is Choice.APPROVE and len(given) < verdict.needed:
            stays = await self._transitions.stay(
                operation, decision, "approved", approvals=approvals, preview=preview
            )
            return _settled(stays)
        moved = await self._transitions.release(
            operation,
            decision,
            approvals=approvals,
            preview=preview,
            emergency=choice is Choice.EMERGENCY,
        )
        if moved is None:
            return None
        if preview.state_at_press:
            await self._wait_for_card(moved)
        self._worker.take(moved)
        return Settled(counts=True, words="", operation=moved)

    async def _changed_state(self, command: Command, preview: Preview) -> str:
        """Return the state as it is now; empty while it is unknown or what the card shows."""
        now = await self._reader.read_state(command) if preview.state else None
        return now if now is not None and now != preview.state else ""

    async def _report_change(
        self, operation: Operation, decision: Decision, preview: Preview
    ) -> Settled | None:
        """Let it wait on, and ask its decider to press again for the state as it is now."""
        moved = await self._transitions.stay(operation, decision, "changed", preview=preview)
        return _settled(moved, _CHANGED if decision.place.channel else _CHANGED_AFAR)

    async def _wait_for_card(self, operation: Operation) -> None:
        """Wait until the card shows what has changed since it was asked."""
        try:
            async with asyncio.timeout(_SPEAK):
                while await self._store.outbox.is_card_queued(operation.id):  # noqa: ASYNC110 (a row)
                    await asyncio.sleep(0.05)
        except (TimeoutError, StoreError):
            log.warning("the card does not show the change yet", operation=operation.id)


_NO_REASON = "An emergency needs a reason. Nothing was changed."
_NO_GLASS = "The policy no longer lets you skip the second person. Nothing was changed."
_UNKNOWN = "This version of the bot doesn't know this action; another version started it."
_UNREADABLE = "This version of the bot can't read the request, so nothing was changed."
_UNSIGNED = "I can't verify this request any more, so nothing was changed. Ask again."
_CHANGED = (
    "Not sent yet: its state has changed, as the card shows now. Press again if you still want it."
)
_CHANGED_AFAR = (
    "Not sent yet: its state has changed since it was asked for. Decide again if you still want it."
)
_NOTHING = "There is no such request. It may belong to another installation of this bot."


def _settled(moved: Operation | None, words: str = "") -> Settled | None:
    """Return what came of a transition; None if the row had changed.

    Args:
        words: Why the decision does not count; empty where it does.
    """
    return Settled(counts=not words, words=words, operation=moved) if moved else None


def _no_longer_open(operation: Operation, decision: Decision) -> Objection | None:
    """Return why nothing can be decided with this button; None while it can."""
    if (stale := _stale_button(operation, decision)) is not None:
        return stale
    if operation.unsigned and operation.state is State.WAITING:
        return Objection(_UNSIGNED)
    return None if operation.state is State.WAITING else _too_late(operation, decision)


def _stale_button(operation: Operation, decision: Decision) -> Objection | None:
    """Return what is wrong with a button that is not on the operation's card."""
    pressed, place = decision.message_ts, decision.place
    channels = {operation.place.channel, operation.card_channel}
    if pressed and place.channel not in channels:
        return Objection("This button does not belong to this channel, so nothing was done.")
    if pressed and operation.card_ts and pressed != operation.card_ts:
        return Objection("This card is out of date, so nothing was done. Use the newest one.")
    return None


def _not_counted(
    given: tuple[GivenApproval, ...], decision: Decision, verdict: Verdict
) -> Objection | None:
    """Return why an approval or an emergency does not count."""
    choice, user = decision.choice, decision.actor.user
    if choice is Choice.APPROVE and any(one.user == user for one in given):
        left = verdict.needed - len(given)
        more = "one more person" if left == 1 else f"{left} more people"
        return Objection(f"You already approved this; {more} must.")
    if choice is Choice.EMERGENCY and not verdict.break_glass_rule:
        return Objection(_NO_GLASS)
    if choice is Choice.EMERGENCY and not decision.reason.strip():
        return Objection(_NO_REASON)
    return None


def _not_stricter(verdict: Verdict | Denied, operation: Operation) -> Verdict | Denied:
    """Deny where the policy demands more by now than the card has asked for."""
    if isinstance(verdict, Denied) or verdict.approval.rank <= operation.approval.rank:
        return verdict
    wants = "a second person" if verdict.approval is Approval.SECOND_PERSON else "a confirmation"
    return Denied("approval", f"the policy has changed since and now wants {wants}. Ask again.")


def _too_late(operation: Operation, decision: Decision) -> Objection:
    """Return who was first."""
    # From a terminal no card is seen.
    card = "; see the card" if decision.place.channel else ""
    who = "you" if operation.decided_by == decision.actor.user else operation.decided_by
    match operation.state:
        case State.EXPIRED:
            sentence = "Too late: this has expired, nothing was sent. Ask again."
        case State.CANCELLED if operation.superseded:
            sentence = f"Too late: {who} asked for the same, and that went ahead."
        case State.CANCELLED:
            sentence = f"Too late: {who} cancelled this, nothing was sent."
        case State.DENIED if operation.denied_by_person:
            sentence = f"Too late: {who} denied this, nothing was sent."
        case State.DENIED:
            sentence = f"Too late: the policy has denied this{card}."
        case _ if operation.decided_by:
            ended = " and it has ended" if operation.state in ENDINGS else ""
            name = f"{who[:1].upper()}{who[1:]}"
            sentence = f"{name} already decided this{ended}{card}."
        case _:
            sentence = f"There is nothing to decide about this{card}."
    return Objection(sentence)
