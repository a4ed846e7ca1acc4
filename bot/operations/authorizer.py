"""Asks the policy who may do what, each time with what Slack says of people right now."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from bot.catalog import effects as offair
from bot.catalog.builtin import HOLD, WATCH
from bot.catalog.registry import action_of, by_api
from bot.errors import DirectoryError, UnreadableRowError
from bot.model.actions import DEFAULT, Action, Approval
from bot.model.commands import Command, Via
from bot.model.off_air import Hold, StartScope
from bot.model.operations import Choice, GivenApproval, Operation
from bot.model.people import Actor, Presence
from bot.model.ports import Directory
from bot.model.verdicts import Denied, Verdict
from bot.policy import evaluation as policy
from bot.policy.loader import LoadedPolicy
from bot.policy.matching import Context
from bot.redact import apart
from bot.storage.requested_watches import scope_of
from bot.storage.store import Store
from bot.times import TO_MINUTE, format_utc


@dataclass(frozen=True, slots=True)
class Superseded:
    """Something has come after an operation, as a sentence for people."""

    sentence: str


class Authorizer:
    """Authorizes the actors and the deciders of operations. No answer from Slack means no.

    Args:
        policy: Returns the policy as it is now.
        team: The workspace the bot belongs to.
    """

    def __init__(
        self, *, store: Store, directory: Directory, policy: Callable[[], LoadedPolicy], team: str
    ) -> None:
        self._store = store
        self._directory = directory
        self._policy = policy
        self._team = team

    async def verdict(self, operation: Operation, command: Command) -> Verdict | Denied:
        """Return whether the actor may do it."""
        try:
            facts = await self._facts(operation.actor, operation)
        except DirectoryError as error:
            return _unanswered(error)
        if operation.via is not Via.TERMINAL and not await self._present(operation):
            facts = policy.without_bot(facts)
        judge = policy.request if operation.origin.request_of else policy.decide
        verdict = judge(self._policy().policy, command, facts)
        if isinstance(verdict, Denied):
            return verdict
        if operation.origin.undoes:
            superseded = await self._undone_superseded(operation.origin.undoes)
            if superseded is not None:
                again = "Ask again if you still want it."
                return Denied("overtaken", f"{superseded.sentence} {again}")
        start = self.start_scope(command)
        held = await self._store.off_air.find_hold(start) if start else None
        return verdict if held is None else self._refused(held, command.account, facts)

    async def _undone_superseded(self, id_: str) -> Superseded | None:
        """Return what has come after the operation that another one would undo."""
        try:
            before = await self._store.operations.get(id_)
            return await self.superseded_by(before) if before else None
        except UnreadableRowError:
            return Superseded("This version of the bot can't read what this undoes.")

    def start_scope(self, command: Command) -> StartScope | None:
        """Return what a command would start, as holds name it; None for nothing."""
        targets = offair.start_targets(command.action, command.params)
        if not targets:
            return None
        return StartScope(command.account, targets, self._policy().policy.account_names)

    def hold_scope(self, operation: Operation, command: Command) -> StartScope:
        """Return what a local action holds or releases, also of accounts that are gone."""
        known = None if command.action is HOLD else self._policy().policy.account_names
        return StartScope(operation.account, (str(command.params["Target"]),), known)

    async def superseded_by(self, before: Operation) -> Superseded | None:
        """Return what has come after an operation, so that its button no longer means it.

        Raises:
            StoreError: It is not known.
        """
        account = self._policy().account_now(before.account)
        action = action_of(before)
        if action is None:
            api = before.api
            return Superseded(f"This release of the bot does not know {api}, so nothing was sent.")
        if await self._store.off_air.filed_account(before.id):
            return None
        if action is WATCH:
            scope = replace(scope_of(before), account=account, operation=before.id)
            watched = await self._store.requested_watches.exists(scope)
            return None if watched else Superseded("Nothing was done: it is not watched any more.")
        if action is HOLD:
            held = await self._store.off_air.find_hold(
                StartScope(account, (str(before.params["Target"]),))
            )
            came = f"{held.held_by} holds it since" if held else "it is not held any more"
            return Superseded(f"Nothing was done: {came}.")
        change = offair.off_air_change(replace(before, account=account), action, {}, 0.0)
        if change is None or not change.off:
            return None
        now = await self._store.off_air.latest_stop(
            change.account, change.resource_type, change.key
        )
        came = f"{now.actor.user} asked for {now.api} since" if now else "it is not off any more"
        return Superseded(f"Nothing was sent: {came}.")

    def _refused(self, held: Hold, account: str, facts: Context) -> Denied:
        """Return who holds what a command would start, and who could release it.

        Args:
            account: Of the command; it also releases holds of accounts that are gone.
        """
        names = self._policy().policy.account_names
        account = held.account if held.account in names else account
        since = format_utc(held.since, TO_MINUTE)
        release = Command(by_api("Release"), {"Target": held.target}, account=account)
        could = policy.who_could(self._policy().policy, release, facts)
        on = f" account={account}" if account != DEFAULT else ""
        return Denied(
            "held",
            f"{held.held_by} has held {apart(held.target)} since {since}: {apart(held.reason)}. "
            f"Nobody can start it until it is released: "
            f"{apart(f'/stopstream release {held.target}{on}')}. {could}",
        )

    def region(self, read: Action, account: str, near: str) -> str | None:
        """Return the region of a read that nobody typed; None where it is ambiguous."""
        return self._policy().vocabulary.region_to_read(read, account, near)

    async def may_read(self, actor: Actor, operation: Operation, read: Command) -> bool:
        """Return whether somebody may make this read without an approval, where it was asked."""
        try:
            facts = await self._facts(actor, operation)
        except DirectoryError:
            return False
        verdict = policy.decide(self._policy().policy, read, facts)
        return isinstance(verdict, Verdict) and verdict.approval is Approval.NONE

    async def recheck(self, operation: Operation, command: Command) -> Denied | None:
        """Return why an allowed operation may not be sent any more; None if it still may."""
        verdict = await self.verdict(operation, command)
        if isinstance(verdict, Denied):
            return verdict
        if verdict.approval.rank > operation.approval.rank:
            return _stricter(verdict)
        if verdict.approval is not Approval.SECOND_PERSON:
            return None
        if operation.emergency:
            return None if verdict.break_glass_rule else _NO_GLASS
        if len(await self.approvers(operation, command, verdict)) < verdict.needed:
            return Denied(
                "approval", "Somebody who approved this may not approve it any more. Ask again."
            )
        return None

    async def approvers(
        self, operation: Operation, command: Command, verdict: Verdict
    ) -> tuple[GivenApproval, ...]:
        """Return the approvals of those who still may approve."""
        team, given = operation.actor.team, operation.approvals.given
        return tuple(
            [
                one
                for one in given
                if await self._objection(operation, command, Actor(team, one.user), verdict) is None
            ]
        )

    async def _objection(
        self, operation: Operation, command: Command, actor: Actor, verdict: Verdict | Denied
    ) -> Denied | None:
        """Return why somebody may not approve or deny what another asked for."""
        approvals = operation.approvals
        roles = approvals.roles
        if isinstance(verdict, Verdict):
            # As the policy is now, not as it was when it was asked.
            roles = (*verdict.approvers, *verdict.escalates_to[: approvals.reminded])
        try:
            facts = await self._facts(actor, operation)
        except DirectoryError as error:
            return _unanswered(error)
        why = policy.may_approve(
            self._policy().policy,
            command,
            facts,
            asker=operation.actor.user,
            roles=roles,
        )
        return Denied("approver", why) if why is not None else None

    async def outsider(self, actor: Actor, operation: Operation | None) -> Denied | None:
        """Return why somebody may not so much as learn what a button is about.

        Where Slack does not answer, its asker was a member when they asked.
        """
        try:
            person = await self._directory.person(actor)
        except DirectoryError as error:
            own = operation is not None and operation.actor == actor
            return None if own else _unanswered(error)
        return policy.outsider(person, self._team)

    async def approver_check(
        self, operation: Operation, command: Command
    ) -> Callable[[Operation], bool]:
        """Return a test whether the actor may approve what waits for the same, in that place."""
        try:
            facts = await self._facts(operation.actor, operation)
        except DirectoryError:
            return lambda _waiting: False
        current = self._policy().policy

        def may_approve(waiting: Operation) -> bool:
            asker, roles = waiting.actor.user, waiting.approvals.roles
            return policy.may_approve(current, command, facts, asker=asker, roles=roles) is None

        return may_approve

    async def refusal(
        self,
        operation: Operation,
        command: Command,
        choice: Choice,
        actor: Actor,
        verdict: Verdict | Denied,
    ) -> Denied | None:
        """Return why somebody may not make this choice for a waiting operation.

        Args:
            verdict: For the actor, as it is now.
        """
        why = _improper(operation, choice, own=actor.user == operation.actor.user)
        if why is not None:
            return Denied("decision", why)
        if choice in (Choice.APPROVE, Choice.DENY):
            return await self._objection(operation, command, actor, verdict)
        return None

    def approver_ids(self, roles: tuple[str, ...]) -> tuple[str, ...]:
        """Return the ids of the users and user groups in some roles."""
        return policy.members(self._policy().policy, roles)

    async def _facts(self, actor: Actor, operation: Operation) -> Context:
        person = await self._directory.person(actor)
        facts = Context(person, self._team, frozenset(), operation.place.channel, in_channel=True)
        if policy.outsider(person, self._team) is not None:
            # Why their groups cannot be read would tell them of the policy.
            return facts
        groups = await self._directory.groups(actor.user, self._policy().policy.usergroups)
        return replace(facts, groups=groups)

    async def _present(self, operation: Operation) -> bool:
        """Return whether the bot is in the channel, so that everyone there sees what is done."""
        match await self._directory.presence(operation.place.channel):
            case Presence.IN:
                return True
            case Presence.OUT:
                return False
            case Presence.UNKNOWN:
                return await self._card_is_posted(operation)

    async def _card_is_posted(self, operation: Operation) -> bool:
        """Return whether the card can be posted, which shows that the bot is there."""
        await self._store.outbox.enqueue_card(operation.id)
        for _ in range(100):
            found = await self._store.operations.get(operation.id)
            if found is None or found.card_ts:
                return found is not None
            await asyncio.sleep(0.05)
        return False


def _improper(operation: Operation, choice: Choice, *, own: bool) -> str | None:
    """Return why a choice is not open to this person, or at all; None if it is."""
    asker, second = operation.actor.user, operation.approval is Approval.SECOND_PERSON
    if choice in _OF_THE_ASKER and not own:
        return f"Only {asker}, who asked, may {_OF_THE_ASKER[choice]}."
    if choice is Choice.CONFIRM and second:
        return "This needs a second person, not a confirmation."
    if choice in (Choice.APPROVE, Choice.DENY) and not second:
        return f"This needs no second person: {asker}, who asked, confirms or cancels it."
    if choice is Choice.EMERGENCY and not operation.approvals.break_glass_rule:
        return _NO_GLASS.reason
    return None


_OF_THE_ASKER = {
    Choice.CONFIRM: "confirm this; you can ask for it yourself",
    Choice.CANCEL: "cancel this",
    Choice.EMERGENCY: "call it an emergency",
}

_NO_GLASS = Denied("glass", "The policy has no rule that lets you skip the second person here.")


def _unanswered(error: DirectoryError) -> Denied:
    return Denied(policy.DIRECTORY, f"{error} Nothing was sent; try again in a moment.")


def _stricter(verdict: Verdict) -> Denied:
    wants = _WANTS[verdict.approval]
    return Denied(
        "approval", f"The policy has changed since and now wants {wants}. Ask again.", verdict.rule
    )


_WANTS = {
    Approval.NONE: "nothing more",
    Approval.CONFIRM: "a confirmation",
    Approval.SECOND_PERSON: "a second person",
}
