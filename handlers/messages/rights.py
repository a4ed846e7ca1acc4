"""Who someone is to the policy and what they may do, in one place or in every channel; pure."""

from dataclasses import replace

from bot.model.actions import Action, Approval
from bot.operations.results import Permissions
from bot.policy.explanation import Permission
from handlers.messages.blocks import Message, arrange
from handlers.messages.mrkdwn import channel, code, user

INELIGIBLE = {
    "bot": "Bots may not use this bot.",
    "guest": "Guests may not use this bot.",
    "deactivated": "This user is deactivated.",
    "stranger": "Users of another workspace may not use this bot.",
}
"""Why a person may do nothing at all, by the field of `Person` that says so."""

_NOT_IN_CHANNEL = "I am not in this channel, so nothing can be done here: invite me first."
_NOT_IN_DIRECT_MESSAGES = (
    "In a direct message nobody else would see what is done, so nothing can be done here. "
    "Ask in a channel that I am in."
)

_APPROVALS = {
    Approval.NONE: "at once",
    Approval.CONFIRM: "after a confirmation",
    Approval.SECOND_PERSON: "after a second person",
}


def whoami(permissions: Permissions) -> Message:
    """Describe who someone is to the policy and what they may do in this place."""
    return arrange(rights_here(permissions))


def whoami_in_direct_message(permissions: Permissions) -> Message:
    """Describe the same where nothing can be done: channel by channel.

    Args:
        permissions: In every channel.
    """
    identity, *others = rights_everywhere(permissions)
    return arrange([identity, _NOT_IN_DIRECT_MESSAGES, *others] if others else [identity])


def whoami_on(topic: str, permissions: Permissions) -> Message:
    """Describe the same as far as a help topic goes, after a help that did not know it yet."""
    folded = topic.casefold()
    some = tuple(one for one in permissions.may if folded in _topics(one.action))
    return whoami(replace(permissions, may=some or permissions.may))


def _topics(action: Action) -> tuple[str, ...]:
    return (action.words, action.api.casefold(), action.product.name, action.effect.value)


def permission_sentence(permission: Permission) -> str:
    """Describe one permission in a sentence."""
    if permission.approval is None:
        return f"You may not do this here{_accounts(permission)}; {_why_not(permission)}."
    return f"You may do this here{_allowed(permission)}."


def rights_here(permissions: Permissions) -> list[str]:
    """Describe roles and permissions in one place, a line each."""
    lines = [_identity(permissions)]
    if _ineligible(permissions):
        return lines
    may = [one for one in permissions.may if one.approval is not None]
    may_not = [one for one in permissions.may if one.approval is None]
    if not permissions.here:
        lines.append(_NOT_IN_DIRECT_MESSAGES if permissions.direct else _NOT_IN_CHANNEL)
    if may:
        lines += ["*You may here*", *map(_permission_line, may)]
    if may_not:
        lines += ["*You may not here*", *map(_permission_line, may_not)]
    return lines


def rights_everywhere(permissions: Permissions) -> list[str]:
    """Describe roles and permissions channel by channel, a line each."""
    lines = [_identity(permissions)]
    if _ineligible(permissions):
        return lines
    anywhere = [_permission_line(one) for one in permissions.may if one.approval is not None]
    allowed_somewhere: set[str] = set()
    for channel_id, may in permissions.elsewhere:
        here = [one for one in may if one.approval is not None]
        allowed_somewhere.update(one.action.api for one in here)
        more = [line for line in map(_permission_line, here) if line not in anywhere]
        lines += [f"*In {channel(channel_id)} you may*", *more] if more else []
    if anywhere:
        lines += ["*In any channel I am in you may*", *anywhere]
    refused = [one for one in permissions.may if one.approval is None]
    may_not = [one for one in refused if one.action.api not in allowed_somewhere]
    if may_not:
        lines += ["*You may not*", *map(_permission_line, may_not)]
    return lines


def _ineligible(permissions: Permissions) -> str:
    person = permissions.person
    return next((why for name, why in INELIGIBLE.items() if getattr(person, name)), "")


def _identity(permissions: Permissions) -> str:
    who = f"You are {user(permissions.person.user)}"
    if why := _ineligible(permissions):
        return f"{who}. {why}"
    roles = ", ".join(code(role) for role in permissions.roles)
    return f"{who}, in the roles {roles}." if roles else f"{who} and have no role in the policy."


def _permission_line(permission: Permission) -> str:
    api = permission.action.api
    if permission.approval is not None:
        return f"• {api}{_allowed(permission)}"
    return f"• {api}{_accounts(permission)}; {_why_not(permission)}"


def _allowed(permission: Permission) -> str:
    where = f", where {code(permission.where)}" if permission.where else ""
    return f"{_accounts(permission)} {_APPROVALS[permission.approval or Approval.NONE]}{where}"


def _accounts(permission: Permission) -> str:
    """Name the accounts, unless it is the same on all."""
    accounts = permission.accounts
    return f" on {' and '.join(map(code, accounts))}" if accounts else ""


def _why_not(permission: Permission) -> str:
    """Describe why not here, and where, who else, or who can be asked."""
    others = " or ".join(code(role) for role in permission.others)
    if permission.forbidden:
        return f"the policy forbids it to everyone ({code(permission.forbidden)})"
    if permission.channels:
        return f"you may in {', '.join(map(channel, permission.channels))}"
    if permission.request_from:
        asks = " or ".join(code(role) for role in permission.request_from)
        return f"{others} may, and {asks} can be asked to let it through"
    return f"{others} may" if others else "nobody may"
