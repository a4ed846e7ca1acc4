"""Which commands need one of the policy's reasons, and whether one was given; pure."""

from collections.abc import Sequence

from bot.commands.reasons import listed
from bot.model.actions import Action
from bot.model.commands import Command
from bot.policy.matching import (
    Grant,
    covers_account,
    covers_action,
    limit_applies,
    limit_applies_to_any_target,
    limits_of,
    rules_of,
)
from bot.policy.schema import Policy, Rule

PLACE = "reasons"
"""The part of the file that a denial for a missing reason names as its rule."""


def lacks_reason(policy: Policy, rule: Rule, command: Command) -> bool:
    """Return whether a rule wants a reason that a command does not have."""
    return rule.reason is not None and _is_missing(policy, command)


def limit_lacking_reason(policy: Policy, command: Command) -> str | None:
    """Return the path of the first limit that wants a reason which a command does not have."""
    if not _is_missing(policy, command):
        return None
    wanting = (
        path for path, limit in limits_of(policy) if limit.reason and limit_applies(limit, command)
    )
    return next(wanting, None)


def reason_missing(policy: Policy, command: Command, found: Sequence[Grant]) -> bool:
    """Return whether a command lacks a reason that a limit wants, or every rule that allows it."""
    if limit_lacking_reason(policy, command) is not None:
        return True
    return bool(found) and all(lacks_reason(policy, grant.rule, command) for grant in found)


def may_need_reason(policy: Policy, command: Command) -> bool:
    """Return whether a command lacks a reason that it may need, whoever asks and wherever."""
    if limit_lacking_reason(policy, command) is not None:
        return True
    return any(
        lacks_reason(policy, rule, command)
        and covers_action(rule.actions, command)
        and covers_account(rule.accounts, command.account)
        for name, role in policy.roles.items()
        for _, rule in rules_of(name, role)
    )


def always_needs_reason(policy: Policy, command: Command) -> bool:
    """Return whether a limit wants a reason that a command lacks, whatever its target."""
    limits = (limit for _, limit in limits_of(policy) if limit.reason)
    wanted = any(limit_applies_to_any_target(limit, command) for limit in limits)
    return wanted and _is_missing(policy, command)


def always_needing_reason(policy: Policy, actions: Sequence[Action]) -> frozenset[str]:
    """Return the API names of the actions that a limit lets nobody do without a reason."""
    return frozenset(
        action.api
        for action in actions
        for _, limit in limits_of(policy)
        if limit.reason
        and limit.accounts is None
        and action.takes_reason
        and limit_applies_to_any_target(limit, Command(action, {}))
    )


def ask_for_reason(policy: Policy) -> str:
    """Return a sentence that asks for a reason."""
    return f"This needs a reason: add reason=CODE, one of {listed(policy.reasons)}."


def _is_missing(policy: Policy, command: Command) -> bool:
    return command.action.takes_reason and command.reason not in policy.reasons
