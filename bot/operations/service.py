"""The use cases that people start: ask, decide, follow up, request."""

import time
from collections.abc import Callable
from dataclasses import replace

import structlog

from bot.audit.hash_chain import Fact
from bot.catalog.builtin import UNWATCH
from bot.catalog.registry import command_of
from bot.commands.formatting import format_command
from bot.commands.parsed import Audit, Form, Help, OffAir, WhoAmI
from bot.commands.parser import parse
from bot.commands.reasons import with_reason
from bot.commands.tokens import without_dry_run
from bot.commands.vocabulary import Vocabulary
from bot.errors import CommitUnknownError, ParseError, StoreError
from bot.metrics import Metrics
from bot.model.actions import Json
from bot.model.commands import Command, Invocation
from bot.model.lifecycle import ENDINGS
from bot.model.operations import Choice, Decision, Operation, Origin, State
from bot.model.people import Actor, Place
from bot.model.verdicts import Denied, DryRunResult, Verdict
from bot.operations.admission import Admission
from bot.operations.approvals import ApprovalService
from bot.operations.audit_facts import facts_of
from bot.operations.authorizer import Authorizer
from bot.operations.follow_ups import UNDOING, FollowUp, asked_span, follow_up_command
from bot.operations.queries import Queries
from bot.operations.recorder import Recorder, in_time
from bot.operations.results import (
    Accepted,
    DryRun,
    NotRecorded,
    Objection,
    PressReply,
    ReasonMissing,
    Reply,
)
from bot.operations.touched import TouchedReader
from bot.operations.worker import Worker
from bot.policy.evaluation import UNKNOWN_OR_OUTSIDE
from bot.policy.loader import LoadedPolicy
from bot.policy.reasons import may_need_reason
from bot.storage.store import Store
from bot.traces import Traces

log = structlog.get_logger("stopstream.service")

_NOT_SAVED = "Your press could not be saved."
_LOOK_AT_CARD = (
    "Look at the card: if it does not change, press again. If this keeps happening, tell the bot's "
    "owner."
)

_PRESS_NOT_SAVED = (
    "Your press could not be saved: the database does not answer. If a card for it is here, an "
    "earlier press was saved. If not, press again."
)

_PRESSES = 50
"""How often one person may choose the same follow-up of an ending."""

_RETRY_FOR = 43_200.0
"""Seconds after which the follow-up `retry` is refused."""

_LIKE_A_NEW_REQUEST = (
    FollowUp.RETRY,
    FollowUp.STOP_LIVE,
    FollowUp.OTHER_DOMAIN,
    FollowUp.GIVE_REASON,
)

_REQUEST_FOR = 1800.0
"""Seconds after a denial for which others may be asked."""

_UNSIGNED = "The bot has changed since, and can't verify what this button belongs to."


class Service:
    """Everything that people and terminals can ask for.

    Args:
        policy: Returns the policy as it is now.
        clock: Epoch seconds.

    Attributes:
        queries: The use cases that only read.
        touched: Reads what a request would touch, for those who decide.
    """

    def __init__(
        self,
        *,
        store: Store,
        worker: Worker,
        admission: Admission,
        approvals: ApprovalService,
        authorizer: Authorizer,
        queries: Queries,
        touched: TouchedReader,
        policy: Callable[[], LoadedPolicy],
        metrics: Metrics,
        traces: Traces,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.queries = queries
        self.touched = touched
        self._store = store
        self._worker = worker
        self._admission = admission
        self._approvals = approvals
        self._authorizer = authorizer
        self._policy = policy
        self._metrics = metrics
        self._clock = clock
        self._recorder = Recorder(
            store=store, worker=worker, policy=policy, metrics=metrics, traces=traces, clock=clock
        )

    @property
    def vocabulary(self) -> Vocabulary:
        """What can be typed now: the catalog, the policy's defaults and targets."""
        return self._policy().vocabulary

    async def ask(self, invocation: Invocation) -> Reply:
        """Record what was asked; never waits for Slack or Tencent Cloud."""
        self._worker.note_ack()
        text, dry = without_dry_run(invocation.text)
        if dry:
            invocation = replace(invocation, text=text)
        try:
            wanted = parse(
                invocation.text,
                verb=invocation.verb,
                vocabulary=self.vocabulary.at(invocation.place.channel),
                now=self._clock(),
            )
        except ParseError as error:
            self._metrics.asked.labels(invocation.via.value, "").inc()
            return await self._recorder.record_mistake(invocation, error)
        if dry or not isinstance(wanted, Command):
            self._metrics.asked.labels(invocation.via.value, "").inc()
        if not isinstance(wanted, Command):
            return await self._dry_without_command(invocation, wanted) if dry else wanted
        if dry:
            return DryRun(wanted)
        return await self._recorder.record(invocation, wanted)

    async def dry_run(self, asked: Invocation, command: Command) -> DryRunResult:
        """Return what would become of a command, and record that it was asked. Waits for Slack.

        The request itself, which the policy's defaults have filled in, is not for outsiders.

        Raises:
            StoreError: It cannot be recorded, so nothing is returned.
        """
        operation = self._recorder.operation(asked, State.ASKED, command, format_command(command))
        found = await self._admission.dry_run(operation, command)
        if isinstance(found.verdict, Denied) and found.verdict.check in UNKNOWN_OR_OUTSIDE:
            found = replace(found, request=None, hidden=True)
        facts = facts_of(replace(operation, rule=found.verdict.rule), command.action)
        allowed = isinstance(found.verdict, Verdict)
        facts |= {"state": "dry run", "allowed": allowed}
        await self._store.audit_log.record(Fact("dry run", "", facts))
        return found if found.hidden else replace(found, case=operation.case)

    async def record_turned_away(self, actor: Actor, channel: str) -> None:
        """Record that an outsider was turned away, before anything of theirs was read.

        Raises:
            StoreError: It is not recorded.
        """
        facts: dict[str, Json] = {"team": actor.team, "user": actor.user, "channel": channel}
        known: dict[str, Json] = {name: value for name, value in facts.items() if value}
        await self._store.audit_log.record(Fact("turned away", "", known))

    async def decide(self, decision: Decision) -> NotRecorded | None:
        """Record a decision, to have its effect once; never waits for Slack.

        Returns:
            None where it is recorded: people are shown what comes of it.
        """
        self._worker.note_ack()
        try:
            async with in_time():
                recorded = await self._store.decisions.add(decision)
        except (StoreError, TimeoutError) as error:
            log.error("a press is not recorded, or not in time", why=str(error))
            self._store.leases.release(decision)
            unknown = isinstance(error, TimeoutError | CommitUnknownError)
            begin = "I don't know whether your press was saved." if unknown else _NOT_SAVED
            return NotRecorded(f"{begin} {_LOOK_AT_CARD}")
        if recorded is not None:
            self._approvals.take(recorded)
        return None

    async def objection(self, decision: Decision) -> Objection | None:
        """Return why a choice is not open to somebody. Waits for Slack: not for the ack path."""
        return await self._approvals.objection(decision)

    async def follow(
        self,
        id_: str,
        follow: FollowUp,
        asked: Invocation,
        *,
        afar: bool = False,
        index: int = 0,
        reason: str = "",
    ) -> PressReply:
        """Ask for a follow-up of an ending, for the person who pressed, where they pressed.

        Args:
            afar: The button may be in another channel.
            index: See `follow_up_command`.
            reason: The code that was chosen for it, in place of the reason of the ending.
        """
        choice = f"{follow.value}-{index}" if index else follow.value
        try:
            async with in_time():
                before = await self._store.operations.get(id_)
                account = await self._store.off_air.filed_account(id_)
                key, repeated = await self._next_key(f"{id_}:{choice}:{asked.actor.user}")
        except (StoreError, TimeoutError) as error:
            log.error("a press is not recorded", why=str(error))
            return NotRecorded(_PRESS_NOT_SAVED)
        if before is not None:
            policy = self._policy()
            # The list of what is off counts only for an account that the policy has renamed:
            # unlike the operation, it is not signed.
            kept = before.account if before.account in policy.policy.account_names else account
            before = replace(before, account=kept or policy.account_now(before.account))
        wanted = follow_up_command(before, follow, self._clock(), index) if before else None
        away = before is not None and asked.place.channel != before.place.channel
        if before is None or wanted is None or (away and not afar):
            return NotRecorded("This button has expired.")
        if not before.place.channel:
            why = "That was asked from a terminal, so no channel would see it: type it in one."
            return NotRecorded(why, wanted)
        if before.unsigned:
            await self._examine(before)
            return NotRecorded(_UNSIGNED, wanted)
        wanted = with_reason(wanted, reason or wanted.reason, self.vocabulary)
        if (stopped := await self._stopped(before, follow, wanted)) is not None:
            return stopped
        # In the thread of what was pressed in the channel, its Confirm would not be seen. The end
        # of a watch has none, and belongs where its changes were told.
        ends_watch = wanted.action is UNWATCH
        own = before.place.thread_ts or before.card_ts
        thread = own if afar or ends_watch else asked.place.thread_ts
        place = Place(before.place.channel, thread, asked.place.reply_url)
        text = format_command(wanted)
        again = replace(asked, key=key, place=place, text=text, repeated=repeated)
        self._worker.note_ack()
        undoes = id_ if follow in UNDOING else before.origin.undoes
        origin = Origin(undoes=undoes, extension=asked_span(before))
        reply = await self._recorder.record(again, wanted, origin)
        if isinstance(reply, Accepted) and not reply.again:
            await self._replace_waiting(before, follow, again)
        return reply

    async def press(
        self, begin: str, asked: Invocation, command: Command, origin: Origin, reason: str = ""
    ) -> PressReply:
        """Ask for what a button offers elsewhere than on an ending.

        Args:
            begin: Of its key, which a second press has, too, until that has ended.
            reason: The code that was chosen for it.
        """
        command = with_reason(command, reason or command.reason, self.vocabulary)
        if may_need_reason(self._policy().policy, command):
            return ReasonMissing(command)
        self._worker.note_ack()
        try:
            async with in_time():
                key, repeated = await self._next_key(begin)
        except (StoreError, TimeoutError) as error:
            log.error("a press is not recorded", why=str(error))
            return NotRecorded(_PRESS_NOT_SAVED)
        text = format_command(command)
        again = replace(asked, key=key, text=text, repeated=repeated)
        return await self._recorder.record(again, command, origin)

    async def _replace_waiting(
        self, before: Operation, follow: FollowUp, again: Invocation
    ) -> None:
        """Cancel what its asker has corrected: the other name was meant."""
        corrected = follow is FollowUp.STOP_LIVE and before.state is State.WAITING
        if corrected and again.actor == before.actor:
            key = f"{again.key}:instead"
            await self.decide(Decision(key, before.id, Choice.CANCEL, again.actor, again.place))

    async def request(self, id_: str, asked: Invocation, reason: str = "") -> PressReply:
        """Ask those who may for what somebody was denied, in the channel; once per denial.

        Args:
            reason: The code that was chosen for it.
        """
        self._worker.note_ack()
        try:
            async with in_time():
                before = await self._store.operations.get(id_)
        except (StoreError, TimeoutError) as error:
            log.error("a press is not recorded", why=str(error))
            return NotRecorded(_PRESS_NOT_SAVED)
        trusted = before is not None and not before.unsigned
        wanted = _denied_command(before, asked.actor.user) if before and trusted else None
        if before is None or wanted is None:
            return NotRecorded("This button has expired.")
        if self._clock() - before.asked_at > _REQUEST_FOR:
            return NotRecorded("That was refused too long ago, so nobody was asked. Ask again.")
        wanted = with_reason(wanted, reason or wanted.reason, self.vocabulary)
        if may_need_reason(self._policy().policy, wanted):
            return ReasonMissing(wanted)
        place = replace(before.place, reply_url=asked.place.reply_url)
        again = replace(asked, key=f"{id_}:request", place=place, text=before.text, repeated=True)
        origin = replace(before.origin, request_of=id_)
        return await self._recorder.record(again, wanted, origin)

    async def _dry_without_command(
        self, invocation: Invocation, wanted: Help | Form | WhoAmI | Audit | OffAir
    ) -> Reply:
        """Answer the wish for a dry run where there is no command; a form would run it."""
        if not isinstance(wanted, Form):
            return Help("dry-run") if wanted == Help() else wanted
        sentence = (
            "A form cannot be a dry run. Type the command with it, for example "
            f"/{wanted.verb.value}stream live stream1 --dry-run."
        )
        error = ParseError(sentence, text="--dry-run", start=0, end=len("--dry-run"))
        return await self._recorder.record_mistake(invocation, error)

    async def _examine(self, before: Operation) -> None:
        """Have it reported if somebody else has written it; an older release may have."""
        try:
            await self._store.operations.examine(before.id)
        except StoreError as error:
            log.error("a row is not examined", operation=before.id, why=str(error))

    async def _stopped(
        self, before: Operation, follow: FollowUp, wanted: Command
    ) -> NotRecorded | ReasonMissing | None:
        """Return why a button does not do, or no longer, what it means; None if it does."""
        if follow in _LIKE_A_NEW_REQUEST and self._clock() - before.asked_at > _RETRY_FOR:
            return NotRecorded("That was asked too long ago to be sent again.", wanted)
        if follow in UNDOING and (stale := await self._stale(before, wanted)) is not None:
            return stale
        needed = may_need_reason(self._policy().policy, wanted)
        return ReasonMissing(wanted) if needed else None

    async def _stale(self, before: Operation, wanted: Command) -> NotRecorded | None:
        """Return why something has come after an operation; None if nothing has."""
        try:
            async with in_time():
                superseded = await self._authorizer.superseded_by(before)
        except (StoreError, TimeoutError) as error:
            log.error("a press is not recorded", why=str(error))
            return NotRecorded(_PRESS_NOT_SAVED, wanted)
        return NotRecorded(superseded.sentence, wanted) if superseded else None

    async def _next_key(self, begin: str) -> tuple[str, bool]:
        """Return the key of a press, and whether an earlier press has it.

        A second press has the key of the first until that has ended.
        """
        for number in range(_PRESSES):
            found = await self._store.operations.by_key(f"{begin}:{number}")
            if found is None or found.state not in ENDINGS:
                break
        return f"{begin}:{number}", found is not None


def _denied_command(before: Operation, user: str) -> Command | None:
    """Return what somebody was denied and may ask others for; None if there is no such thing."""
    if (
        before.state is not State.DENIED
        or not before.approvals.request_from
        or before.actor.user != user
    ):
        return None
    return command_of(before)
