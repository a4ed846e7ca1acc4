"""The use cases that only read: permissions, the audit search, what is off, recent operations."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice

from bot.audit.hash_chain import Fact
from bot.catalog import effects as offair
from bot.catalog.registry import action_of, command_of, undo_of
from bot.errors import DirectoryError
from bot.model.actions import Action, Approval, Json
from bot.model.commands import Command
from bot.model.messages import Sent
from bot.model.off_air import OffAirEntry
from bot.model.operations import Choice, Decision, Operation, Search, State
from bot.model.people import Actor, Place, Presence, UsersByName
from bot.model.ports import Directory
from bot.model.verdicts import Denied
from bot.operations.approvals import ApprovalService
from bot.operations.follow_ups import FollowUp, follow_up_command
from bot.operations.known_rights import KnownRights
from bot.operations.live_streams import LiveStreams, fitting
from bot.operations.results import LiveList, LiveStream, OffAirList, Permissions, SearchPage
from bot.operations.state_reader import StateReader
from bot.policy import evaluation as policy
from bot.policy import explanation, matching
from bot.policy.loader import LoadedPolicy
from bot.policy.matching import Context
from bot.storage.outbox_message import permalink
from bot.storage.store import Store

_OPEN = 10
"""How many open requests are shown to one person."""

PICKED_MOST = 100
"""How many live streams somebody can pick from, which is what Slack shows."""

_KNOWN, _LISTED, _SEEN = 5000, 50, 10
"""How many entries of what is off are looked through, listed, and read the state of."""


@dataclass(frozen=True, slots=True)
class _Visibility:
    """What one person may see of what is off.

    Attributes:
        context: Of the person, where they ask.
    """

    loaded: LoadedPolicy
    context: Context
    user: str

    def shows(self, operation: Operation) -> bool:
        """Return whether they may know of it."""
        here = operation.place.channel and operation.place.channel == self.context.channel
        if here or operation.actor.user == self.user:
            return True
        if policy.may_audit(self.loaded.policy, self.context):
            return True
        back = follow_up_command(operation, FollowUp.UNDO) or command_of(operation)
        return back is not None and self._may(back, operation)

    def may_read(self, read: Command | None, entry: OffAirEntry) -> bool:
        """Return whether they may read its state."""
        return read is not None and self._may(read, entry.operation)

    def _may(self, command: Command, operation: Operation) -> bool:
        there = replace(self.context, channel=operation.place.channel)
        return any(
            matching.grants(self.loaded.policy, command, context)
            for context in (self.context, there)
        )


class Queries:
    """Reads what people ask to see. The policy is asked anew each time.

    Most wait for Slack, so they are not for the path of an ack.

    Args:
        policy: Returns the policy as it is now.
        team: The workspace the bot belongs to.
    """

    def __init__(
        self,
        *,
        store: Store,
        reader: StateReader,
        live: LiveStreams,
        approvals: ApprovalService,
        directory: Directory,
        policy: Callable[[], LoadedPolicy],
        team: str,
    ) -> None:
        self._store = store
        self._reader = reader
        self._live = live
        self._approvals = approvals
        self._directory = directory
        self._policy = policy
        self._team = team
        self._rights = KnownRights()

    async def permissions(self, actor: Actor, place: Place) -> Permissions:
        """Return what somebody may do in a place.

        Raises:
            DirectoryError: Slack did not say who they are.
        """
        loaded = self._policy()
        context = await self._context(actor, place, loaded)
        return Permissions(
            context.person,
            matching.roles_of(loaded.policy, context),
            self._rights.of(loaded, context),
            context.in_channel,
            place.channel.startswith(policy.DIRECT),
            groups_age=self._directory.groups_age(loaded.policy.usergroups),
        )

    async def permissions_everywhere(self, actor: Actor) -> Permissions:
        """Return what somebody may do in any channel, and in those that the policy names.

        Raises:
            DirectoryError: Slack did not say who they are.
        """
        loaded = self._policy()
        found = await self.permissions(actor, Place(""))
        context = await self._context(actor, Place(""), loaded)
        elsewhere = [
            (channel, self._rights.of(loaded, there))
            for channel in explanation.channels_of(loaded.policy, context)
            for there in [replace(context, channel=channel)]
        ]
        return replace(found, elsewhere=tuple(elsewhere))

    async def form_actions(self, actor: Actor, place: Place, account: str) -> tuple[Action, ...]:
        """Return what somebody may do in a place, or if that is nothing, ask others there for.

        Args:
            place: Without a channel: in any that the policy names.
            account: Which they have chosen; empty for any.

        Raises:
            DirectoryError: Slack did not say who they are.
        """
        if place.channel:
            may = (await self.permissions(actor, place)).may
        else:
            everywhere = await self.permissions_everywhere(actor)
            may = (*everywhere.may, *(one for _, there in everywhere.elsewhere for one in there))
        on = [one for one in may if not (one.accounts and account) or account in one.accounts]
        can = [one for one in on if one.approval is not None]
        can = can or [one for one in on if one.request_from]
        return tuple({one.action.api: one.action for one in can}.values())

    async def live_streams(
        self, actor: Actor, place: Place, action: Action, account: str, typed: str
    ) -> LiveList:
        """Return what is live, fits what was typed, and may be stopped by somebody in a place.

        Raises:
            DirectoryError: Slack did not say who they are.
        """
        loaded = self._policy()
        context = await self._context(actor, place, loaded)
        channels = explanation.channels_of(loaded.policy, context) if not place.channel else ()
        contexts = [context, *(replace(context, channel=channel) for channel in channels)]
        if not matching.roles_of(loaded.policy, context):
            return LiveList()

        def may(stream: LiveStream) -> bool:
            command = _stop_of(stream, action, account)
            verdicts = (policy.decide(loaded.policy, command, one) for one in contexts)
            return not all(isinstance(one, Denied) for one in verdicts)

        live = await self._live.on(account)
        # Thousands of names take longer than an ack may wait for the loop.
        streams = await asyncio.to_thread(
            lambda: tuple(islice(filter(may, fitting(typed, live.streams)), PICKED_MOST))
        )
        return replace(live, streams=streams)

    async def outsider(self, actor: Actor) -> Denied | None:
        """Return why somebody may not so much as look; None for a full member."""
        try:
            person = await self._directory.person(actor)
        except DirectoryError as error:
            return Denied(policy.DIRECTORY, f"{error} Nothing was sent; try again in a moment.")
        return policy.outsider(person, self._team)

    def outsider_now(self, actor: Actor) -> Denied | None:
        """Return the same of somebody who was looked up a moment ago, without waiting."""
        person = self._directory.known(actor)
        return None if person is None else policy.outsider(person, self._team)

    def is_known_member(self, actor: Actor) -> bool:
        """Return whether Slack has said a moment ago that somebody is a full member."""
        person = self._directory.known(actor)
        return person is not None and policy.outsider(person, self._team) is None

    async def called(self, actor: Actor, name: str) -> UsersByName | Denied:
        """Return who has a name, for a full member.

        Raises:
            DirectoryError: Slack did not say.
        """
        denied = await self.outsider(actor)
        return denied if denied is not None else await self._directory.called(name)

    def card_link(self, operation: Operation) -> str:
        """Return the address of an operation's card; empty where it has none yet."""
        return permalink(
            self._store.session.workspace, Sent(operation.card_channel, operation.card_ts)
        )

    async def audit(
        self, actor: Actor, place: Place, wanted: Search, limit: int
    ) -> SearchPage | Denied:
        """Search what was asked, as far as the policy lets somebody see it.

        Raises:
            DirectoryError: Slack did not say who they are.
        """
        loaded = self._policy()
        context = await self._context(actor, place, loaded)
        if (denied := policy.outsider(context.person, context.home_team)) is not None:
            return denied
        everything = policy.may_audit(loaded.policy, context)
        reader, channel = ("", "") if everything else (actor.user, place.channel)
        wanted = replace(wanted, reader=reader, channel=channel)
        found = await self._store.operations.search(wanted, limit + 1)
        return SearchPage(wanted, tuple(found[:limit]), len(found) > limit)

    async def export(
        self, actor: Actor, place: Place, wanted: Search, limit: int
    ) -> SearchPage | Denied:
        """Search for somebody who exports the result, which is recorded before they have it.

        Raises:
            DirectoryError: Slack did not say who they are.
            StoreError: It cannot be recorded, so nothing is returned.
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

    async def off_air(self, actor: Actor, place: Place, *, read_states: bool = True) -> OffAirList:
        """Return what is off and not yet on, and what is held, as far as somebody may see it.

        That is what they asked for, what their channel saw, what they may bring back, or stop
        where nothing does, and all of it for a person who may read the audit log.

        Args:
            read_states: Ask Tencent Cloud for the states, which takes its time.

        Raises:
            DirectoryError: Slack did not say who they are.
        """
        loaded = self._policy()
        context = await self._context(actor, place, loaded)
        if not matching.roles_of(loaded.policy, context):
            return OffAirList(may=False)
        visible = _Visibility(loaded, context, actor.user)
        entries = await self._store.off_air.list(_KNOWN)
        off = [one for one in entries if visible.shows(one.operation)][:_LISTED]
        refreshed = await self._refreshed(off, visible) if read_states else {}
        off = [refreshed.get(one.operation.id, one) for one in off]
        on = tuple([one for one in refreshed.values() if await self._is_on(one)])
        still = tuple(one for one in off if one not in on)
        holds = tuple(filter(visible.shows, await self._store.off_air.list_holds()))
        return OffAirList(still, holds, on)

    async def _refreshed(
        self, off: list[OffAirEntry], visible: _Visibility
    ) -> dict[str, OffAirEntry]:
        """Return the first entries whose state may be read, with it, by operation."""
        may = [
            one for one in off if visible.may_read(self._reader.status_command(one.operation), one)
        ]
        seen = await asyncio.gather(*(self._reader.refresh(one) for one in may[:_SEEN]))
        return {one.operation.id: one for one in seen}

    async def _is_on(self, entry: OffAirEntry) -> bool:
        """Return whether it was seen to be on again, and record it."""
        operation, action = entry.operation, action_of(entry.operation)
        if action is None or not offair.is_on(action, undo_of(action), entry.state):
            return False
        facts: dict[str, Json] = {"api": operation.api, "seen": entry.state}
        await self._store.off_air.record_on_again(operation.id, entry.state, facts)
        return True

    async def waiting_here(self, id_: str, place: Place) -> Operation | None:
        """Return an operation whose card waits in a channel, where everybody sees it; else None."""
        found = await self._store.operations.get(id_)
        here = found is not None and found.place.channel == place.channel != ""
        return found if found and here and found.state is State.WAITING else None

    async def open_requests(self, actor: Actor) -> tuple[list[Operation], list[Operation]]:
        """Return what somebody asked for and has no ending, and what they may approve."""
        unfinished = await self._store.operations.unfinished()
        mine = [one for one in unfinished if one.actor == actor][:_OPEN]
        others = [
            one
            for one in unfinished
            if one.state is State.WAITING
            and one.approval is Approval.SECOND_PERSON
            and one.actor != actor
        ]
        theirs: list[Operation] = []
        for one in others[: 5 * _OPEN]:
            approve = Decision("", one.id, Choice.APPROVE, actor, one.place, message_ts="")
            if len(theirs) < _OPEN and await self._approvals.objection(approve) is None:
                theirs.append(one)
        return mine, theirs

    async def recent(self, actor: Actor | None, limit: int = 10) -> list[Operation]:
        """Return the newest operations, of one person or of all, newest first."""
        return await self._store.operations.recent(user=actor.user if actor else "", limit=limit)

    async def _context(self, actor: Actor, place: Place, loaded: LoadedPolicy) -> Context:
        return Context(
            person=await self._directory.person(actor),
            home_team=self._team,
            groups=await self._directory.groups(actor.user, loaded.policy.usergroups),
            channel=place.channel,
            in_channel=not place.channel
            or await self._directory.presence(place.channel) is not Presence.OUT,
        )


def _stop_of(stream: LiveStream, action: Action, account: str) -> Command:
    """Return what an action would be asked of a stream, all else left as it is by default."""
    now = time.time()
    usual = {one.api: one.default_value(now) for one in action.params}
    key = zip(action.effect_spec.key, (stream.stream, stream.domain, stream.app), strict=True)
    given = {name: value for name, value in usual.items() if value is not None}
    return Command(action, {**given, **dict(key)}, account=account)
