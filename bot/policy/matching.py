"""Which rules and limits of the policy apply to a command, a person and a place."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple

from bot.model.actions import Action, Json, Param
from bot.model.commands import Command
from bot.model.people import Person
from bot.policy import conditions
from bot.policy.conditions import Condition
from bot.policy.schema import Limit, Policy, Role, Rule


@dataclass(frozen=True, slots=True)
class Context:
    """What is known of the actor and of the place.

    Attributes:
        home_team: The workspace the bot belongs to.
        groups: The user groups of the policy that the person is in.
        channel: Empty from a terminal without one.
        in_channel: Whether the bot is in that channel.
    """

    person: Person
    home_team: str
    groups: frozenset[str]
    channel: str
    in_channel: bool


class Grant(NamedTuple):
    """A rule that allows something, the role it belongs to and its path in the file."""

    role: str
    path: str
    rule: Rule


def grants(policy: Policy, command: Command, context: Context) -> list[Grant]:
    """Return every rule that lets this person do this here."""
    return [
        Grant(name, path, rule)
        for name in roles_of(policy, context)
        for path, rule in rules_of(name, policy.roles[name])
        if mismatch(rule, command, context) is None
    ]


def roles_of(policy: Policy, context: Context) -> tuple[str, ...]:
    """Return the roles of a full member; nobody else has any."""
    if not is_full_member(context):
        return ()
    return tuple(name for name, role in policy.roles.items() if _has_role(role, context))


def rules_of(name: str, role: Role) -> Iterator[tuple[str, Rule]]:
    """Iterate over the rules of a role, each with its path in the file."""
    for number, rule in enumerate(role.allow):
        yield f"roles.{name}.allow[{number}]", rule


def limits_of(policy: Policy) -> Iterator[tuple[str, Limit]]:
    """Iterate over the limits, each with its path in the file."""
    for number, limit in enumerate(policy.limits):
        yield f"limits[{number}]", limit


def in_home_workspace(context: Context) -> bool:
    """Return whether Slack says that the person belongs to the bot's own workspace."""
    person = context.person
    return bool(context.home_team) and person.team == context.home_team and not person.stranger


def is_full_member(context: Context) -> bool:
    """Return whether the person is an active, full member of the bot's own workspace."""
    person = context.person
    return in_home_workspace(context) and not (person.bot or person.guest or person.deactivated)


def _has_role(role: Role, context: Context) -> bool:
    return context.person.user in role.members.users or not context.groups.isdisjoint(
        role.members.usergroups
    )


def covers_action(patterns: Sequence[str], command: Command) -> bool:
    """Return whether one of the patterns matches what allows the action of a command."""
    return any(fnmatchcase(command.action.permission, pattern) for pattern in patterns)


def covers_account(patterns: Sequence[str] | None, account: str) -> bool:
    """Return whether one of the patterns matches an account; no patterns match all."""
    return patterns is None or any(fnmatchcase(account, pattern) for pattern in patterns)


def covers_channel(rule: Rule, context: Context) -> bool:
    """Return whether a rule applies in the channel of the context."""
    return rule.channels is None or context.channel in rule.channels


def mismatch(rule: Rule, command: Command, context: Context) -> str | None:
    """Return why a rule does not allow a command; None if it does."""
    if not covers_action(rule.actions, command):
        return f"does not list {command.action.permission}"
    if not covers_account(rule.accounts, command.account):
        return f"counts only on the account {' or '.join(rule.accounts or ())}"
    if not covers_channel(rule, context):
        return (
            f"counts only in {' or '.join(rule.channels)}"
            if rule.channels
            else "counts in no channel"
        )
    for name, pattern in (rule.where or {}).items():
        if not condition_holds(command, name, pattern):
            return f"wants {name} to be {conditions.written_value(pattern)}"
    return None


def condition_holds(command: Command, name: str, pattern: Condition) -> bool:
    """Return whether a parameter is given and every value of it matches."""
    values = _values(command, name)
    return bool(values) and all(_matches(command, name, value, pattern) for value in values)


def limit_applies(limit: Limit, command: Command) -> bool:
    """Return whether a limit lists the action and its conditions hold.

    A parameter that the action has but the command leaves out is filled in by Tencent Cloud:
    it could be anything, so the limit holds. One that the action does not have cannot hold.
    """
    if not (
        covers_action(limit.actions, command) and covers_account(limit.accounts, command.account)
    ):
        return False
    for name, pattern in (limit.where or {}).items():
        values = _values(command, name)
        if not values:
            if not _has(command.action, name):
                return False
        elif not any(_matches(command, name, value, pattern) for value in values):
            return False
    return True


def limit_applies_to_any_target(limit: Limit, command: Command) -> bool:
    """Return whether a limit applies to a command whatever its parameters are."""
    return limit.where is None and limit_applies(limit, command)


def denying_limit(policy: Policy, command: Command) -> str | None:
    """Return the path of the first limit that denies a command; None if none does."""
    denying = (
        path for path, limit in limits_of(policy) if limit.deny and limit_applies(limit, command)
    )
    return next(denying, None)


def _has(action: Action, name: str) -> bool:
    if name == "Region":
        return action.regions is not None
    return _param(action, name) is not None


def _param(action: Action, name: str) -> Param | None:
    return next((param for param in action.params if name in param.names), None)


def _values(command: Command, name: str) -> list[Json]:
    """Return the values that a condition is compared with: of a list, every entry."""
    if name == "Region":
        return [command.region] if command.region else []
    param = _param(command.action, name)
    value = None if param is None else command.params.get(param.api)
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _matches(command: Command, name: str, value: Json, condition: Condition) -> bool:
    if name == "Region":
        return conditions.region_matches(str(value), condition)
    param = _param(command.action, name)
    return param is not None and conditions.matches(param, value, condition)
