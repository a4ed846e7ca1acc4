"""Whether a person may run a command here, or approve it: context in, verdict or reason out.

Denied by default. CHECKS are evaluated in order; each passes or returns a reason for denial.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from bot.model.actions import Approval
from bot.model.commands import Command
from bot.model.people import Person
from bot.model.verdicts import Denied, Verdict
from bot.policy.matching import (
    Context,
    Grant,
    condition_holds,
    covers_action,
    denying_limit,
    grants,
    in_home_workspace,
    limit_applies,
    limits_of,
    mismatch,
    roles_of,
    rules_of,
)
from bot.policy.reasons import PLACE, ask_for_reason, lacks_reason, reason_missing
from bot.policy.schema import Policy, Rule

DIRECT = "D"
"""How the ids of direct messages begin."""

IN_DIRECT_MESSAGE = (
    "In a direct message nobody else would see it, and I cannot be invited. "
    "Ask in a channel that I am in."
)


class Check(NamedTuple):
    """A condition of every command.

    Attributes:
        id: As it is stored in the audit log; it never changes.
        objection: Returns the reason for a denial, or None.
    """

    id: str
    objection: Callable[[Policy, Command, Context], str | None]


def own_workspace(_policy: Policy, _command: Command, context: Context) -> str | None:
    """Only users of the bot's own workspace, and Slack must have said so."""
    return None if in_home_workspace(context) else _ELSEWHERE


def full_member(_policy: Policy, _command: Command, context: Context) -> str | None:
    """No bots, guests or deactivated users."""
    return _membership_objection(context.person)


def bot_in_channel(_policy: Policy, _command: Command, context: Context) -> str | None:
    """What is done must be seen: the bot must be in the channel."""
    if not context.in_channel and context.channel.startswith(DIRECT):
        return IN_DIRECT_MESSAGE
    if not context.in_channel:
        return "I am not in this channel, so nobody would see it. Invite me here, then ask again."
    return None


def known_account(policy: Policy, command: Command, _context: Context) -> str | None:
    """Only accounts that the file names now."""
    if command.account in policy.account_names:
        return None
    return (
        f'The policy names no account "{command.account}" any more; '
        f"there is {', '.join(policy.account_names)}. Ask again."
    )


def not_denied(policy: Policy, command: Command, _context: Context) -> str | None:
    """A limit that denies overrides every role."""
    if (limit := denying_limit(policy, command)) is not None:
        return f"The policy forbids this to everyone ({limit})."
    return None


def some_rule_allows(policy: Policy, command: Command, context: Context) -> str | None:
    """Without a rule that allows it, the answer is no."""
    if grants(policy, command, context):
        return None
    name, own = command.action.plain_name, roles_of(policy, context)
    what = f"{name[:1].lower()}{name[1:]}"
    if policy.accounts:
        what += f" on the account {command.account}"
    begin = f"As {' and '.join(own)}, you can't {what}" if own else f"You can't {what}"
    place = "here" if context.channel else "without a channel"
    return f"{begin} {place}. {_who_could(policy, command, context, own)}"


def reason_given(policy: Policy, command: Command, context: Context) -> str | None:
    """Where a limit, or every rule that allows it, wants a reason, there must be one."""
    if reason_missing(policy, command, grants(policy, command, context)):
        return ask_for_reason(policy)
    return None


_OWN_WORKSPACE = Check("own_workspace", own_workspace)
_FULL_MEMBER = Check("full_member", full_member)
_NOT_DENIED = Check("not_denied", not_denied)
_SOME_RULE_ALLOWS = Check("some_rule_allows", some_rule_allows)
_REASON_GIVEN = Check("reason", reason_given)
CHECKS = (
    _OWN_WORKSPACE,
    _FULL_MEMBER,
    Check("bot_is_there", bot_in_channel),
    Check("known_account", known_account),
    _NOT_DENIED,
    _SOME_RULE_ALLOWS,
    _REASON_GIVEN,
)

OUTSIDE = frozenset({_OWN_WORKSPACE.id, _FULL_MEMBER.id})
"""Ids of the checks that only outsiders fail."""

DIRECTORY = "directory"
"""In place of a check's id where Slack does not answer."""

UNKNOWN_OR_OUTSIDE = OUTSIDE | {DIRECTORY}
"""Ids of the checks that fail for an outsider, or for somebody of whom Slack does not say more."""


def decide(policy: Policy, command: Command, context: Context) -> Verdict | Denied:
    """Return the approval that a command needs, or why it is denied.

    The reason is plain text with channel ids in it.
    """
    for check in CHECKS:
        if (reason := check.objection(policy, command, context)) is not None:
            return _denied(check, reason, policy, command, context)
    found = [
        grant
        for grant in grants(policy, command, context)
        if not lacks_reason(policy, grant.rule, command)
    ]
    role, path, rule = min(found, key=lambda grant: grant.rule.approval.rank)
    verdict = Verdict(
        path,
        rule.approval,
        (role,) if rule.approvers is None else rule.approvers,
        rule.expires_in,
        rule.approvals_needed,
        rule.remind_every,
        rule.then,
        runbook=_runbook(policy, command, rule),
    )
    limited = _apply_limits(policy, command, verdict)
    break_glass_rule = _break_glass_rule(policy, command, limited, found)
    return replace(limited, break_glass_rule=break_glass_rule)


def _denied(
    check: Check, reason: str, policy: Policy, command: Command, context: Context
) -> Denied:
    limit = denying_limit(policy, command) if check is _NOT_DENIED else None
    limit = PLACE if check is _REASON_GIVEN else limit
    able = _requestable_grants(policy, command, context) if check is _SOME_RULE_ALLOWS else ()
    return Denied(check.id, reason, limit or "", _roles(able))


def _break_glass_rule(
    policy: Policy, command: Command, verdict: Verdict, found: Sequence[Grant]
) -> str:
    """Return the rule under which an emergency needs no second person; limits override it."""
    limits_only = _apply_limits(policy, command, replace(verdict, approval=Approval.NONE))
    needs_second_person = verdict.approval is Approval.SECOND_PERSON
    if not needs_second_person or limits_only.approval is Approval.SECOND_PERSON:
        return ""
    return next((grant.path for grant in found if grant.rule.break_glass), "")


def request(policy: Policy, command: Command, context: Context) -> Verdict | Denied:
    """Return who may approve a command for somebody who may not run it, or why nobody may.

    Only where rules say `requests: true`, and where their people may do it without a second one.
    """
    for check in CHECKS:
        if check is _SOME_RULE_ALLOWS:
            continue
        if (reason := check.objection(policy, command, context)) is not None:
            return Denied(check.id, reason, PLACE if check is _REASON_GIVEN else "")
    found = _requestable_grants(policy, command, context)
    if not found:
        return Denied("requests", "The policy lets nobody ask for this on behalf of others.")
    able = [grant for grant in found if not lacks_reason(policy, grant.rule, command)]
    if not able:
        return Denied(_REASON_GIVEN.id, ask_for_reason(policy), PLACE)
    rule = able[0].rule
    own = roles_of(policy, context)
    return Verdict(
        able[0].path,
        Approval.SECOND_PERSON,
        _roles(able),
        rule.expires_in,
        remind=rule.remind_every if rule.remind else None,
        runbook=_runbook(policy, command, rule),
        lacking=f"as {', '.join(own)} they may not do it here" if own else "they have no role",
    )


def _requestable_grants(policy: Policy, command: Command, context: Context) -> list[Grant]:
    """Return the rules whose people may be asked to do this here for somebody else."""
    return [
        Grant(name, path, rule)
        for name, role in policy.roles.items()
        for path, rule in rules_of(name, role)
        if rule.requests
        and mismatch(rule, command, context) is None
        and _apply_limits(policy, command, Verdict(path, rule.approval)).approval
        is not Approval.SECOND_PERSON
    ]


def _roles(found: Sequence[Grant]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(grant.role for grant in found))


def _runbook(policy: Policy, command: Command, rule: Rule) -> str:
    """Return the runbook of the action or target, or else the rule's."""
    for runbook in policy.runbooks:
        if covers_action(runbook.actions, command) and all(
            condition_holds(command, name, pattern)
            for name, pattern in (runbook.where or {}).items()
        ):
            return runbook.link
    return rule.runbook or ""


def _apply_limits(policy: Policy, command: Command, verdict: Verdict) -> Verdict:
    """Raise the approval to what the action itself and the limits require."""
    if command.action.minimum_approval.rank > verdict.approval.rank:
        verdict = replace(verdict, approval=command.action.minimum_approval)
    for path, limit in limits_of(policy):
        required = limit.approval
        if required is None or not limit_applies(limit, command):
            continue
        if required.rank > verdict.approval.rank:
            verdict = replace(verdict, approval=required, rule=f"{verdict.rule} + {path}")
    return verdict


def may_approve(
    policy: Policy, command: Command, context: Context, *, asker: str, roles: Sequence[str]
) -> str | None:
    """Return why somebody may not decide on another's request; None if they may.

    Args:
        context: Of the person who decides, in the place where it was asked.
        asker: User id of the person who asked.
        roles: Roles whose members may approve.
    """
    for check in (_OWN_WORKSPACE, _FULL_MEMBER, _NOT_DENIED):
        if (reason := check.objection(policy, command, context)) is not None:
            return reason
    who = " or ".join(roles)
    if context.person.user == asker:
        others = f": {who}" if who else ""
        return f"You asked for this, so somebody else has to decide{others}."
    if not who:
        return "Nobody can approve this: the policy's list of approvers is empty."
    own = roles_of(policy, context)
    if set(own).isdisjoint(roles):
        return f"Only {who} can decide this."
    return None


def members(policy: Policy, roles: Sequence[str]) -> tuple[str, ...]:
    """Return the ids of the user groups and users in some roles, in the order of the roles."""
    found = [policy.roles[name].members for name in roles if name in policy.roles]
    return tuple(dict.fromkeys(id_ for one in found for id_ in (*one.usergroups, *one.users)))


def may_audit(policy: Policy, context: Context) -> bool:
    """Return whether somebody may read everything that anyone asked."""
    return any(policy.roles[name].audit for name in roles_of(policy, context))


def without_bot(context: Context) -> Context:
    """Return the context as it is where the bot is not in the channel."""
    return replace(context, in_channel=False)


def outsider(person: Person, home_team: str) -> Denied | None:
    """Return why somebody may not even read; None for a full member of the workspace."""
    context = Context(person, home_team, frozenset(), "", in_channel=True)
    why = _membership_objection(person) if in_home_workspace(context) else _ELSEWHERE
    return Denied("outsider", why) if why is not None else None


_ELSEWHERE = "Only users of this workspace may use this bot."


def _membership_objection(person: Person) -> str | None:
    """Return why somebody is not a full member."""
    if person.bot:
        return "Bots may not use this bot."
    if person.guest:
        return "Guests may not use this bot."
    return "This user is deactivated." if person.deactivated else None


def who_could(policy: Policy, command: Command, context: Context) -> str:
    """Return a sentence on who may run a command here, or that this person may."""
    if grants(policy, command, context):
        return "You may do that here."
    return _who_could(policy, command, context, roles_of(policy, context))


def _who_could(policy: Policy, command: Command, context: Context, own: Sequence[str]) -> str:
    """Name the other channels in which the person may, or else the roles that may."""
    channels = [
        channel
        for name in own
        for _, rule in rules_of(name, policy.roles[name])
        if rule.channels
        and mismatch(rule, command, replace(context, channel=rule.channels[0])) is None
        for channel in rule.channels
    ]
    if channels:
        # Only a terminal has no channel.
        how = "" if context.channel else f": add --channel {channels[0]}"
        return f"You can in {', '.join(dict.fromkeys(channels))}{how}."
    able = _roles_that_could(policy, command, context)
    if able:
        return f"{' or '.join(able)} can."
    return "Nobody can: the policy has no rule for it."


def _roles_that_could(policy: Policy, command: Command, context: Context) -> list[str]:
    here: list[str] = []
    elsewhere: list[str] = []
    for name, role in policy.roles.items():
        for _, rule in rules_of(name, role):
            places = [(context.channel, here)]
            places += [(channel, elsewhere) for channel in (rule.channels or ())[:1]]
            for channel, found in places:
                if mismatch(rule, command, replace(context, channel=channel)) is None:
                    found.append(name)
                    break
    return list(dict.fromkeys(here)) or list(dict.fromkeys(elsewhere))
