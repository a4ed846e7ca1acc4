"""Why the policy answers as it does, and what it permits a person in a place."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.model.actions import Action, Approval
from bot.model.commands import Command
from bot.model.people import Person
from bot.model.verdicts import Denied, Verdict
from bot.policy.conditions import written
from bot.policy.evaluation import decide
from bot.policy.matching import (
    Context,
    Grant,
    covers_account,
    covers_action,
    covers_channel,
    denying_limit,
    is_full_member,
    limit_applies,
    limit_applies_to_any_target,
    limits_of,
    mismatch,
    roles_of,
    rules_of,
)
from bot.policy.reasons import always_needs_reason, lacks_reason
from bot.policy.schema import Limit, Policy, Rule


@dataclass(frozen=True, slots=True)
class Explanation:
    """A verdict, and a line for each rule and limit that was considered."""

    verdict: Verdict | Denied
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Permission:
    """What the policy says of an action for one person in one place.

    Attributes:
        approval: None where no rule allows it.
        where: The narrowest condition in words, or empty.
        others: Roles that may.
        channels: Other channels in which this person's own roles may.
        request_from: Roles whose members may be asked to allow it here.
        forbidden: The limit that denies it to everyone, whatever its target.
        accounts: The accounts it applies to; empty where it is the same on all.
        reason: Whether it goes with one of the policy's reasons only.
    """

    action: Action
    approval: Approval | None
    where: str
    others: tuple[str, ...]
    channels: tuple[str, ...] = ()
    request_from: tuple[str, ...] = ()
    forbidden: str = ""
    accounts: tuple[str, ...] = ()
    reason: bool = False


def explain(policy: Policy, command: Command, context: Context) -> Explanation:
    """Return the verdict of `decide` with what every rule and limit contributed."""
    lines = []
    own = roles_of(policy, context)
    for name, role in policy.roles.items():
        if name not in own:
            lines.append(f"roles.{name}: not a member")
            continue
        for path, rule in rules_of(name, role):
            why = mismatch(rule, command, context)
            lines.append(f"{path}: {why or _allowance(policy, rule, command)}")
    for path, limit in limits_of(policy):
        if limit_applies(limit, command):
            lines.append(f"{path}: {_binding(limit, command)}")
    return Explanation(decide(policy, command, context), tuple(lines))


def _allowance(policy: Policy, rule: Rule, command: Command) -> str:
    """Describe how a rule allows a command, or that it would with a reason."""
    if lacks_reason(policy, rule, command):
        return f"allows it with a reason only, approval: {rule.approval.value}"
    return f"allows it, approval: {rule.approval.value}"


def _binding(limit: Limit, command: Command) -> str:
    """Describe what a limit that applies to a command wants."""
    if limit.deny:
        return "denies it"
    wanted = [f"at least {limit.approval}"] if limit.approval else []
    wanted += ["for a reason"] if limit.reason and command.action.takes_reason else []
    return f"asks {' and '.join(wanted)}" if wanted else "asks nothing of this"


def permissions_for(
    policy: Policy, context: Context, actions: Sequence[Action]
) -> list[Permission]:
    """Return for each action what this person may do here with some target."""
    return [
        permission
        for action in actions
        for permission in _permissions_by_account(policy, context, action)
    ]


def is_open_to_anyone(policy: Policy, command: Command, channel: str) -> bool:
    """Return whether a rule allows a command to some role in a channel, and no limit denies it."""
    somebody = Context(Person("", ""), "", frozenset(), channel, in_channel=True)
    rules = (rule for role in policy.roles.values() for rule in role.allow)
    return denying_limit(policy, command) is None and any(
        mismatch(rule, command, somebody) is None for rule in rules
    )


def channels_of(policy: Policy, context: Context) -> tuple[str, ...]:
    """Return the channels that are named in the rules of the person's roles."""
    own = (rule for name in roles_of(policy, context) for rule in policy.roles[name].allow)
    return tuple(dict.fromkeys(channel for rule in own for channel in rule.channels or ()))


def _permissions_by_account(policy: Policy, context: Context, action: Action) -> list[Permission]:
    """Return the permission on each account; accounts with the same one are joined."""
    found: list[Permission] = []
    for account in policy.account_names:
        permission = _permission(policy, context, Command(action, {}, account=account))
        same = [one for one in found if replace(one, accounts=()) == permission]
        if same:
            accounts = (*same[0].accounts, account)
            found[found.index(same[0])] = replace(permission, accounts=accounts)
        else:
            found.append(replace(permission, accounts=(account,)))
    return [replace(found[0], accounts=())] if len(found) == 1 else found


def _permission(policy: Policy, context: Context, command: Command) -> Permission:
    action = command.action
    able = _grants_of_anyone(policy, command)
    others = tuple(dict.fromkeys(grant.role for grant in able))
    forbidden = _forbidding_limit(policy, command)
    if forbidden:
        return Permission(action, None, "", others, forbidden=forbidden)
    here = [g.rule for g in able if context.in_channel and covers_channel(g.rule, context)]
    roles = roles_of(policy, context)
    own = [g.rule for g in able if g.role in roles]
    minimum = _minimum_approval(policy, command)
    if best := min((r for r in own if r in here), key=lambda r: r.approval.rank, default=None):
        approval = max(best.approval, minimum, key=lambda a: a.rank)
        reason = lacks_reason(policy, best, command) or always_needs_reason(policy, command)
        return Permission(action, approval, _condition(best), others, reason=reason)
    channels = tuple(dict.fromkeys(c for rule in own for c in rule.channels or ()))
    may_request = minimum is not Approval.SECOND_PERSON and is_full_member(context)
    request_from = [g.role for g in able if may_request and g.rule.requests and g.rule in here]
    return Permission(action, None, "", others, channels, tuple(dict.fromkeys(request_from)))


def _grants_of_anyone(policy: Policy, command: Command) -> list[Grant]:
    """Return the rules that allow the action on the account to some role, in some channel."""
    return [
        Grant(name, path, rule)
        for name, role in policy.roles.items()
        for path, rule in rules_of(name, role)
        if covers_action(rule.actions, command) and covers_account(rule.accounts, command.account)
    ]


def _condition(rule: Rule) -> str:
    return written((rule.where or {}).items())


def _forbidding_limit(policy: Policy, command: Command) -> str:
    """Return the limit that denies the action whatever its target; empty for none."""
    found = (
        path
        for path, limit in limits_of(policy)
        if limit.deny and limit_applies_to_any_target(limit, command)
    )
    return next(found, "")


def _minimum_approval(policy: Policy, command: Command) -> Approval:
    """Return the approval that the action and the limits require whatever the target."""
    found = command.action.minimum_approval
    for _, limit in limits_of(policy):
        if limit_applies_to_any_target(limit, command):
            found = max(found, limit.approval or found, key=lambda a: a.rank)
    return found
