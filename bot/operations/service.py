"""The use cases that people start: ask, and see what they may."""

import asyncio
import base64
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import structlog

from bot.audit.hash_chain import Fact
from bot.catalog import effects as offair
from bot.catalog.registry import action_of, command_of, undo_of
from bot.commands.formatting import format_command
from bot.commands.parsed import Audit, Form, Help, OffAir, WhoAmI
from bot.commands.parser import parse
from bot.commands.tokens import without_dry_run
from bot.commands.vocabulary import Vocabulary
from bot.errors import DirectoryError, ParseError, StoreError
from bot.model.actions import DEFAULT, Approval, Json
from bot.model.commands import Command, Invocation
from bot.model.lifecycle import ENDINGS
from bot.model.messages import Sent
from bot.model.off_air import OffAirEntry
from bot.model.operations import Choice, Decision, Operation, Origin, Search, State
from bot.model.people import Actor, Person, Place, Presence
from bot.model.ports import Directory
from bot.model.verdicts import Denied, DryRunResult, Verdict
from bot.operations.approvals import ApprovalService
from bot.operations.follow_ups import UNDOING, FollowUp, asked_span, follow_up_command
from bot.operations.worker import Worker, facts_of
from bot.policy import evaluation as policy
from bot.policy import explanation, matching
from bot.policy.explanation import Permission
from bot.policy.loader import LoadedPolicy
from bot.policy.matching import Context
from bot.redact import redact
from bot.storage.outbox import permalink
from bot.storage.store import Store
from bot.telemetry import Metrics

log = structlog.get_logger("stopstream.service")

_NO_ORIGIN = Origin()

_OPEN_ONES = 10
"""How many open requests somebody is shown."""

_PRESSES = 50
"""How often one person may choose the same under one ending."""

_KNOWN, _LISTED, _SEEN = 5000, 50, 10
"""How much that is off is looked through, listed, and read the state of."""

_RETRY_FOR = 43_200.0
"""Seconds after which a retry is asked for anew."""

_REQUEST_FOR = 1800.0
"""Seconds after a refusal for which others may be asked."""

_UNKNOWN_OR_OUTSIDE = policy.OUTSIDE | {"directory"}
"""The checks that somebody fails who is no member, or of whom Slack does not say it."""

BOOKING = 2.0
"""Seconds that an ack may wait for the store; Slack waits 3."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """It is on the books and will be decided, run and answered.

    Attributes:
        again: It was on the books already: Slack delivered it twice.
    """

    operation: Operation
    again: bool = False


@dataclass(frozen=True, slots=True)
class Invalid:
    """The text is not a command; recorded, nothing done."""

    error: ParseError


@dataclass(frozen=True, slots=True)
class NotRecorded:
    """It could not be recorded, or means nothing any more, so nothing is done.

    Attributes:
        instead: What to type for it.
    """

    sentence: str
    instead: Command | None = None


@dataclass(frozen=True, slots=True)
class DryRun:
    """Nothing will be sent; what would be is looked up."""

    command: Command


Reply: TypeAlias = DryRun | Accepted | Invalid | NotRecorded | Help | Form | WhoAmI | Audit | OffAir


@dataclass(frozen=True, slots=True)
class Permissions:
    """Who someone is to the policy, in one place.

    Attributes:
        here: Whether the bot is there, without which nothing can be done there.
        elsewhere: What they may in each channel that the rules of their roles name; empty
            where it is not asked.
    """

    person: Person
    roles: tuple[str, ...]
    may: tuple[Permission, ...]
    here: bool = True
    elsewhere: tuple[tuple[str, tuple[Permission, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class SearchPage:
    """What a search found, the newest first.

    Attributes:
        search: As it was done; its `reader` is empty for whoever may read of everything.
        older: There are more.
    """

    search: Search
    operations: tuple[Operation, ...]
    older: bool


@dataclass(frozen=True, slots=True)
class OffAirList:
    """What is off and not yet on, and what is held, the newest first.

    Attributes:
        holds: The operations that hold.
        on: What was listed until now, and was seen to be on again.
        may: Whether they may be told.
    """

    off: tuple[OffAirEntry, ...] = ()
    holds: tuple[Operation, ...] = ()
    on: tuple[OffAirEntry, ...] = ()
    may: bool = True


@dataclass(frozen=True, slots=True)
class _Sight:
    """What somebody may see of what is off.

    Attributes:
        facts: Of whoever looks, where they do.
    """

    rules: LoadedPolicy
    facts: Context
    user: str

    def shows(self, operation: Operation) -> bool:
        """Say whether they may know of it."""
        here = operation.place.channel and operation.place.channel == self.facts.channel
        if here or operation.actor.user == self.user:
            return True
        if policy.may_audit(self.rules.policy, self.facts):
            return True
        back = follow_up_command(operation, FollowUp.UNDO) or command_of(operation)
        return back is not None and self._may(back, operation)

    def reads(self, look: Command | None, one: OffAirEntry) -> bool:
        """Say whether they may read how it is."""
        return look is not None and self._may(look, one.operation)

    def _may(self, wanted: Command, operation: Operation) -> bool:
        there = replace(self.facts, channel=operation.place.channel)
        return any(
            matching.grants(self.rules.policy, wanted, facts) for facts in (self.facts, there)
        )


class Service:
    """Everything that people and terminals can ask for.

    Args:
        rules: Gives the rules as they are now.
        team: The workspace the bot belongs to.
        clock: Epoch seconds.
    """

    def __init__(
        self,
        *,
        store: Store,
        engine: Worker,
        approvals: ApprovalService,
        directory: Directory,
        rules: Callable[[], LoadedPolicy],
        team: str,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._engine = engine
        self._approvals = approvals
        self._directory = directory
        self._rules = rules
        self._team = team
        self._metrics = metrics
        self._clock = clock

    @property
    def vocabulary(self) -> Vocabulary:
        """What can be said now: the catalog, the policy's defaults and targets."""
        return self._rules().vocabulary

    async def ask(self, invocation: Invocation) -> Reply:
        """Put what was asked on the books; never waits for Slack or Tencent Cloud."""
        self._engine.note_ack()
        self._metrics.asked.labels(invocation.via.value).inc()
        text, dry = without_dry_run(invocation.text)
        invocation = replace(invocation, text=text)
        try:
            wanted = parse(
                invocation.text,
                verb=invocation.verb,
                vocabulary=self.vocabulary.at(invocation.place.channel),
                now=self._clock(),
            )
        except ParseError as error:
            return await self._book_mistake(invocation, error)
        if not isinstance(wanted, Command):
            return await self._dry(invocation, wanted) if dry else wanted
        if dry:
            return DryRun(wanted)
        return await self._book(invocation, wanted)

    async def _dry(
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
        return await self._book_mistake(invocation, error)

    async def _book(
        self, invocation: Invocation, command: Command, origin: Origin = _NO_ORIGIN
    ) -> Reply:
        secret = any(param.secret for param in command.action.params)
        # A bare word may be a key, by no name that would tell.
        text = format_command(command) if secret else invocation.text
        operation = self._operation(invocation, State.ASKED, command, text)
        operation = replace(operation, origin=replace(origin, spans=command.spans))
        try:
            async with asyncio.timeout(BOOKING):
                booked = await self._store.operations.add(
                    operation, facts_of(operation, command.action)
                )
                if booked is None:
                    first = await self._store.operations.by_key(invocation.key)
                    return Accepted(first or operation, again=True)
        except StoreError as error:
            log.error("not recorded, so not done", why=str(error))
            return NotRecorded(
                "Nothing was sent: it cannot be recorded now "
                f"({error}). Try again; if it stays so, tell whoever runs this bot."
            )
        except TimeoutError:
            log.error("not recorded in time")
            self._store.leases.release(operation.id)
            return NotRecorded(
                "The database did not answer in time. If a card appears in this channel, the "
                "request is running; if none appears, nothing was sent. Try again in a moment."
            )
        self._engine.take(booked)
        return Accepted(booked)

    async def dry_run(self, asked: Invocation, command: Command) -> DryRunResult:
        """Say what would become of a command, and that it was asked. Waits for Slack.

        The request itself, which the policy's defaults have filled in, is not for outsiders.

        Raises:
            StoreError: It cannot be put on the trail, so it is not said.
        """
        operation = self._operation(asked, State.ASKED, command, format_command(command))
        found = await self._engine.dry_run(operation, command)
        if isinstance(found.verdict, Denied) and found.verdict.check in _UNKNOWN_OR_OUTSIDE:
            found = replace(found, request=None, hidden=True)
        facts = facts_of(replace(operation, rule=found.verdict.rule), command.action)
        allowed = isinstance(found.verdict, Verdict)
        facts |= {"state": "dry run", "allowed": allowed}
        await self._store.audit_log.record(Fact("dry run", "", facts))
        return found if found.hidden else replace(found, case=operation.case)

    async def decide(self, decision: Decision) -> str:
        """Put a press on the books, to have its effect once; never waits for Slack.

        Returns:
            A sentence where it could not be recorded, else nothing: what comes of it is shown.
        """
        self._engine.note_ack()
        try:
            async with asyncio.timeout(BOOKING):
                booked = await self._store.decisions.add(decision)
        except (StoreError, TimeoutError) as error:
            log.error("a press is not recorded, so it has no effect", why=str(error))
            self._store.leases.release(decision)
            return (
                "Your press could not be recorded, so look at the card: if it does not change, "
                "press again. If it stays so, tell whoever runs this bot."
            )
        if booked is not None:
            self._approvals.take(booked)
        return ""

    async def follow(
        self, id_: str, follow: FollowUp, asked: Invocation, *, afar: bool = False
    ) -> Reply:
        """Ask for what follows an ending, as whoever pressed, in the thread where it stands.

        Args:
            afar: The button need not stand there.
        """
        try:
            async with asyncio.timeout(BOOKING):
                before = await self._store.operations.get(id_)
                account = await self._store.off_air.filed_account(id_)
                key = await self._next_key(f"{id_}:{follow.value}:{asked.actor.user}")
        except (StoreError, TimeoutError) as error:
            log.error("not recorded, so not done", why=str(error))
            return NotRecorded("Nothing was sent: the database does not answer. Press again.")
        if before is not None:
            account = account or self._rules().account_now(before.account)
            before = replace(before, account=account)
        wanted = follow_up_command(before, follow, self._clock()) if before else None
        away = before is not None and asked.place.channel != before.place.channel
        if before is None or wanted is None or (away and not afar):
            return NotRecorded("That button belongs to nothing that can be done any more.")
        if not before.place.channel:
            why = "That was asked from a terminal, so no channel would see it: type it in one."
            return NotRecorded(why, wanted)
        stale = await self._stale(before, follow)
        if stale:
            return NotRecorded(stale, wanted)
        thread = before.place.thread_ts or before.card_ts
        place = Place(before.place.channel, thread, asked.place.reply_url)
        again = replace(asked, key=key, place=place, text=format_command(wanted))
        self._engine.note_ack()
        undoes = id_ if follow in UNDOING else before.origin.undoes
        origin = Origin(undoes=undoes, extension=asked_span(before))
        return await self._book(again, wanted, origin)

    async def _stale(self, before: Operation, follow: FollowUp) -> str:
        """Say why what a button means is not what would come of it."""
        if follow is FollowUp.RETRY and self._clock() - before.asked_at > _RETRY_FOR:
            return "That was asked too long ago, so nothing was sent."
        if follow not in UNDOING:
            return ""
        try:
            async with asyncio.timeout(BOOKING):
                return await self._approvals.overtaken(before)
        except (StoreError, TimeoutError) as error:
            log.error("not recorded, so not done", why=str(error))
            return "Nothing was sent: the database does not answer. Press again."

    async def request(self, id_: str, asked: Invocation) -> Reply:
        """Ask those who may for what somebody was refused, in the channel; once per refusal."""
        self._engine.note_ack()
        try:
            async with asyncio.timeout(BOOKING):
                before = await self._store.operations.get(id_)
        except (StoreError, TimeoutError) as error:
            log.error("not recorded, so not done", why=str(error))
            return NotRecorded("Nobody was asked: the database does not answer. Press again.")
        wanted = _refused(before, asked.actor.user) if before else None
        if before is None or wanted is None:
            return NotRecorded("That button belongs to nothing that you were refused.")
        if self._clock() - before.asked_at > _REQUEST_FOR:
            return NotRecorded("That was refused too long ago, so nobody was asked. Ask anew.")
        place = replace(before.place, reply_url=asked.place.reply_url)
        again = replace(asked, key=f"{id_}:request", place=place, text=before.text)
        origin = replace(before.origin, request_of=id_)
        return await self._book(again, wanted, origin)

    async def _next_key(self, begin: str) -> str:
        """Name a press: until the first one has ended, a second of the same person is the same."""
        for number in range(_PRESSES):
            found = await self._store.operations.by_key(f"{begin}:{number}")
            if found is None or found.state not in ENDINGS:
                break
        return f"{begin}:{number}"

    async def objection(self, decision: Decision) -> str:
        """Say why a choice is not open to somebody. Waits for Slack: not for the ack path."""
        return await self._approvals.objection(decision)

    async def _book_mistake(self, invocation: Invocation, error: ParseError) -> Invalid:
        operation = self._operation(
            invocation, State.INVALID, None, error.text, detail=error.sentence
        )
        try:
            async with asyncio.timeout(BOOKING):
                await self._store.operations.add(operation, facts_of(operation, None))
        except (StoreError, TimeoutError) as trouble:
            # Nothing was going to be done, so the asker hears of the mistake all the same.
            log.error("a mistake is not on the trail", why=str(trouble))
        return Invalid(error)

    def _operation(
        self,
        invocation: Invocation,
        state: State,
        command: Command | None,
        text: str,
        detail: str = "",
    ) -> Operation:
        return Operation(
            id=new_id(),
            key=invocation.key,
            state=state,
            actor=invocation.actor,
            place=invocation.place,
            via=invocation.via,
            text=redact(text)[:4000],
            asked_at=self._clock(),
            api=command.action.api if command else "",
            params=command.params if command else {},
            region=command.region if command else "",
            account=command.account if command else DEFAULT,
            target=command.target if command else "",
            case=self._case(invocation, command) if command else "",
            detail=redact(detail),
        )

    def _case(self, invocation: Invocation, command: Command) -> str:
        """Give the case that was named, or the one that the policy gives the channel."""
        return command.case or self._rules().policy.cases.get(invocation.place.channel, "")

    async def permissions(self, actor: Actor, place: Place) -> Permissions:
        """Say what someone may do in a place. Waits for Slack: not for the ack path.

        Raises:
            DirectoryError: Slack did not say who they are.
        """
        rules = self._rules()
        facts = await self._facts(actor, place, rules)
        return Permissions(
            facts.person,
            matching.roles_of(rules.policy, facts),
            tuple(explanation.permissions_for(rules.policy, facts, rules.vocabulary.actions)),
            facts.in_channel,
        )

    async def permissions_everywhere(self, actor: Actor) -> Permissions:
        """Say what someone may do in any channel, and in those that the policy names besides.

        Raises:
            DirectoryError: Slack did not say who they are.
        """
        rules = self._rules()
        found = await self.permissions(actor, Place(""))
        facts = await self._facts(actor, Place(""), rules)
        elsewhere = [
            (channel, explanation.permissions_for(rules.policy, there, rules.vocabulary.actions))
            for channel in explanation.channels_of(rules.policy, facts)
            for there in [replace(facts, channel=channel)]
        ]
        return replace(found, elsewhere=tuple((one, tuple(may)) for one, may in elsewhere))

    def card_link(self, operation: Operation) -> str:
        """Give the address of an operation's card; empty where it stands nowhere yet."""
        return permalink(
            self._store.session.workspace, Sent(operation.card_channel, operation.card_ts)
        )

    async def outsider(self, actor: Actor) -> str:
        """Say why somebody may not so much as look; empty for a full member.

        Waits for Slack: not for the ack path.
        """
        try:
            person = await self._directory.person(actor)
        except DirectoryError as error:
            return f"{error} Nothing was sent; try again in a moment."
        facts = Context(person, self._team, frozenset(), "", in_channel=True)
        return policy.outsider(facts) or ""

    async def _facts(self, actor: Actor, place: Place, rules: LoadedPolicy) -> Context:
        return Context(
            person=await self._directory.person(actor),
            home_team=self._team,
            groups=await self._directory.groups(actor.user, rules.policy.usergroups),
            channel=place.channel,
            in_channel=not place.channel
            or await self._directory.presence(place.channel) is not Presence.OUT,
        )

    # --- the trail -----------------------------------------------------------------

    async def audit(
        self, actor: Actor, place: Place, wanted: Search, limit: int
    ) -> SearchPage | Denied:
        """Search what was asked, as far as the policy lets somebody see it: outsiders nothing.

        Waits for Slack: not for the ack path. Rights are asked anew for every page.

        Raises:
            DirectoryError: Slack did not say who they are.
        """
        rules = self._rules()
        facts = await self._facts(actor, place, rules)
        if (why := policy.outsider(facts)) is not None:
            return Denied("outsider", why)
        whole = policy.may_audit(rules.policy, facts)
        reader, channel = ("", "") if whole else (actor.user, place.channel)
        wanted = replace(wanted, reader=reader, channel=channel)
        found = await self._store.operations.search(wanted, limit + 1)
        return SearchPage(wanted, tuple(found[:limit]), len(found) > limit)

    async def off(self, actor: Actor, place: Place, *, look: bool = True) -> OffAirList:
        """Say what is off and not yet on, and what is held, as far as somebody may see it.

        That is what they asked for, what their channel saw, what they may bring back, or stop
        where nothing does, and all of it for whoever may read the trail. Waits for Slack and, with
        `look`, for Tencent Cloud: not for the ack path.

        Raises:
            DirectoryError: Slack did not say who they are.
        """
        rules = self._rules()
        facts = await self._facts(actor, place, rules)
        if not matching.roles_of(rules.policy, facts):
            return OffAirList(may=False)
        sight = _Sight(rules, facts, actor.user)
        every = await self._store.off_air.list(_KNOWN)
        off = [one for one in every if sight.shows(one.operation)][:_LISTED]
        looks = {
            one.operation.id: self._engine.status_command(one.operation) for one in off if look
        }
        may = [one for one in off if sight.reads(looks.get(one.operation.id), one)]
        seen = await asyncio.gather(*(self._engine.refresh(one) for one in may[:_SEEN]))
        read = {one.operation.id: one for one in seen}
        off = [read.get(one.operation.id, one) for one in off]
        on = tuple([one for one in seen if await self._is_on(one)])
        still = tuple(one for one in off if one not in on)
        return OffAirList(
            still, tuple(filter(sight.shows, await self._store.off_air.list_holds())), on
        )

    async def _is_on(self, one: OffAirEntry) -> bool:
        """Say whether it was seen to be on again, and note it."""
        operation, action = one.operation, action_of(one.operation)
        if action is None or not offair.is_on(action, undo_of(action), one.state):
            return False
        await self._store.off_air.record_on_again(
            operation.id, {"api": operation.api, "seen": one.state}
        )
        return True

    async def export(
        self, actor: Actor, place: Place, wanted: Search, limit: int
    ) -> SearchPage | Denied:
        """Search for somebody who takes it away, which is on the trail before they have it.

        Raises:
            DirectoryError: Slack did not say who they are.
            StoreError: It cannot be recorded, so nothing is given.
        """
        page = await self.audit(actor, place, replace(wanted, before=None), limit)
        if isinstance(page, Denied):
            return page
        facts: dict[str, Json] = {
            "team": actor.team,
            "user": actor.user,
            "channel": place.channel,
            "via": "button",
            "format": "csv",
            "records": len(page.operations),
            "whole": not page.search.reader,
            "since": wanted.since,
            "of_user": wanted.user,
            "apis": list(wanted.apis),
            "target": wanted.target,
            "ending": wanted.state.value if wanted.state else "",
            "case": wanted.case,
            "account": wanted.account,
        }
        await self._store.audit_log.record(
            Fact("exported", "", {n: v for n, v in facts.items() if v})
        )
        return page

    async def open_ones(self, actor: Actor) -> tuple[list[Operation], list[Operation]]:
        """Give what someone asked for and has no ending, and what waits for them to approve.

        Waits for Slack.
        """
        unfinished = await self._store.operations.unfinished()
        mine = [one for one in unfinished if one.actor == actor][:_OPEN_ONES]
        others = [
            one
            for one in unfinished
            if one.state is State.WAITING
            and one.approval is Approval.SECOND_PERSON
            and one.actor != actor
        ]
        theirs: list[Operation] = []
        for one in others[: 5 * _OPEN_ONES]:
            approve = Decision("", one.id, Choice.APPROVE, actor, one.place, message_ts="")
            if len(theirs) < _OPEN_ONES and not await self._approvals.objection(approve):
                theirs.append(one)
        return mine, theirs

    async def recent(self, actor: Actor | None, limit: int = 10) -> list[Operation]:
        """Give the newest operations, of one person or of all, newest first."""
        return await self._store.operations.recent(user=actor.user if actor else "", limit=limit)


def _refused(before: Operation, user: str) -> Command | None:
    """Give what somebody was refused and may ask others for; None if it is not so."""
    if (
        before.state is not State.DENIED
        or not before.approvals.request_from
        or before.actor.user != user
    ):
        return None
    return command_of(before)


def new_id(now: float | None = None) -> str:
    """Make an operation's id: 40 bits of time and 40 random ones, short enough for the phone.

    Ids of one time stand together in the indexes, so that a million older ones do not slow
    down the new.

    Args:
        now: Epoch seconds; None for now.
    """
    if not _RANDOM:
        # The system is asked for many at once: each call lets other threads go first.
        many = secrets.token_bytes(5 * 512)
        _RANDOM.extend(many[at : at + 5] for at in range(0, len(many), 5))
    millis = int((time.time() if now is None else now) * 1000) % 2**40
    return base64.b32encode(millis.to_bytes(5, "big") + _RANDOM.pop()).decode().lower()


_RANDOM: list[bytes] = []
