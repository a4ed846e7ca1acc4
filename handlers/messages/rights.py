"""Who someone is to the policy and what they can do, in one place or in every channel; pure."""

from collections.abc import Sequence
from dataclasses import replace

from bot.model.actions import Action, Approval, Effect
from bot.operations.results import Permissions
from bot.policy.explanation import Permission
from handlers.messages.blocks import Block, Message, arrange, button_row
from handlers.messages.mrkdwn import channel, code, user
from handlers.messages.ways_in import form_button

INELIGIBLE = {
    "bot": "Bots may not use this bot.",
    "guest": "Guests may not use this bot.",
    "deactivated": "This user is deactivated.",
    "stranger": "Users of another workspace may not use this bot.",
}
"""Why a person can do nothing at all, by the field of `Person` that says so."""

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

_HOW = {
    Approval.NONE: "At once",
    Approval.CONFIRM: "You confirm",
    Approval.SECOND_PERSON: "With a second person",
}
"""How somebody does what they can, as the name of a group."""

_ASK, _ELSEWHERE, _OTHERS, _NOBODY = range(len(_HOW), len(_HOW) + 4)
"""Groups of what somebody can't do themselves here, after those of what they can."""

_MOST_NAMES, _MOST_EVERYWHERE, _MOST_FAR = 8, 5, 3
"""How many actions a line names: of those that somebody can do in one place or in several, and of
those that they can't do themselves."""

_MOST_ROLES = 4
_MOST_CHANNELS = 3
_READS_FROM = 3
"""From how many reads on they are called one thing, if somebody can do them all alike."""


def whoami(permissions: Permissions) -> Message:
    """Describe who someone is to the policy and what they can do in this place."""
    if why := nothing_at_all(permissions):
        return _refusal(permissions, why)
    return arrange([_identity(permissions), *_place(permissions), *rights_here(permissions)])


def whoami_in_direct_message(permissions: Permissions) -> Message:
    """Describe the same where nothing can be done: channel by channel.

    Args:
        permissions: In every channel.
    """
    if why := nothing_at_all(permissions):
        return _refusal(permissions, why)
    everywhere = rights_everywhere(permissions)
    return arrange([_identity(permissions), _NOT_IN_DIRECT_MESSAGES, *everywhere])


def whoami_on(topic: str, permissions: Permissions) -> Message:
    """Describe the same as far as a help topic goes, after a help that did not know it yet."""
    folded = topic.casefold()
    some = tuple(one for one in permissions.may if folded in _topics(one.action))
    return whoami(replace(permissions, may=some or permissions.may))


def _topics(action: Action) -> tuple[str, ...]:
    return (action.words, action.api.casefold(), action.product.name, action.effect.value)


def nothing_at_all(permissions: Permissions) -> str:
    """Return why somebody can do nothing anywhere, in one sentence; empty if they can."""
    if why := _ineligible(permissions):
        return why
    if permissions.roles:
        return ""
    may_change = (one for one in permissions.may if one.action.effect is not Effect.READ)
    others = dict.fromkeys(role for one in may_change if not one.forbidden for role in one.others)
    if not others:
        return "You can't stop or start anything here: the policy gives you no role."
    named = [code(role) for role in list(others)[:_MOST_ROLES]]
    return f"You can't stop or start anything here; {_joined(named, 'and')} can."


def can_request(permissions: Permissions) -> bool:
    """Return whether somebody can ask others here for something that they can't do."""
    return any(one.request_from for one in permissions.may) and not _ineligible(permissions)


def request_button(permissions: Permissions) -> list[Block]:
    """Return a block with the button that opens the form for a request, if it leads anywhere."""
    if not can_request(permissions):
        return []
    return [button_row(form_button(Effect.STOP, "Request approval"))]


def _refusal(permissions: Permissions, why: str) -> Message:
    found = arrange([f"{why} {_groups_read(permissions)}".rstrip()])
    return Message(found.text, (*found.blocks, *request_button(permissions)))


def permission_sentence(permission: Permission) -> str:
    """Describe one permission in a sentence."""
    if permission.approval is None:
        return f"You can't do this here{_accounts(permission)}; {_why_not(permission)}."
    return f"You can do this here{_allowed(permission)}."


def rights_here(permissions: Permissions, *, most: int = _MOST_NAMES) -> list[str]:
    """Describe what somebody can do in one place, and why not the rest: a line for each way.

    Args:
        most: How many actions each line names.
    """
    return _lines(permissions.may, most)


def ways_here(permissions: Permissions, most: int) -> list[str]:
    """Describe only what somebody can do, here or elsewhere, or ask for."""
    reachable = [one for one in permissions.may if _group(one)[0] < _OTHERS]
    return [*_place(permissions), *_lines(reachable, most)]


def rights_everywhere(permissions: Permissions, most: int = _MOST_EVERYWHERE) -> list[str]:
    """Describe what somebody can do channel by channel, a line each, and why not the rest.

    Args:
        most: How many actions each line names of each way to do them.
    """
    lines: list[str] = []
    allowed_somewhere: set[str] = set()
    anywhere = [one for one in permissions.may if one.approval is not None]
    more = 0
    for channel_id, may in permissions.elsewhere:
        here = [one for one in may if one.approval is not None and one not in anywhere]
        allowed_somewhere.update(one.action.api for one in here)
        if here and len(lines) < _MOST_CHANNELS:
            lines.append(f"*In {channel(channel_id)}* {_inline(here, most)}")
        elif here:
            more += 1
    if more:
        lines.append(f"In {more} more channels: `/stopstream whoami` there says what.")
    if anywhere:
        lines.append(f"*In any channel I am in* {_inline(anywhere, most)}")
    refused = [one for one in permissions.may if one.approval is None]
    may_not = [one for one in refused if one.action.api not in allowed_somewhere]
    return [*lines, *_lines(may_not, most)]


def _place(permissions: Permissions) -> list[str]:
    if permissions.here:
        return []
    return [_NOT_IN_DIRECT_MESSAGES if permissions.direct else _NOT_IN_CHANNEL]


def _lines(may: Sequence[Permission], most: int) -> list[str]:
    far = min(most, _MOST_FAR)
    return [
        f"*{title}*: {_names(some, may, most if _group(some[0])[0] < _ASK else far)}"
        for title, some in _groups(may)
    ]


def _inline(may: Sequence[Permission], most: int) -> str:
    return "; ".join(f"{how.lower()}: {_names(some, may, most)}" for how, some in _groups(may))


def _groups(may: Sequence[Permission]) -> list[tuple[str, list[Permission]]]:
    """Return permissions by how somebody does it, the easiest first; one group for each way."""
    found: dict[int, list[Permission]] = {}
    named = {one.action.api for one in may}
    for one in may:
        # What goes by another right is not named next to it.
        if one.action.allowed_by not in named:
            found.setdefault(_group(one)[0], []).append(one)
    return [(_title(way, found[way]), found[way]) for way in sorted(found)]


def _title(way: int, some: Sequence[Permission]) -> str:
    titles = list(dict.fromkeys(_group(one)[1] for one in some))
    if len(titles) == 1:
        return titles[0]
    if way == _ASK:
        roles = list(dict.fromkeys(code(role) for one in some for role in one.request_from))
        return f"Ask {_joined(roles[:_MOST_ROLES], 'or')}"
    return "In other channels" if way == _ELSEWHERE else "Only others"


def _group(permission: Permission) -> tuple[int, str]:
    """Return how somebody does it: its place in the order, and what the group is called."""
    if permission.approval is not None:
        return permission.approval.rank, _HOW[permission.approval]
    if permission.forbidden:
        return _NOBODY, "Nobody"
    if permission.channels:
        return _ELSEWHERE, f"In {', '.join(map(channel, permission.channels))}"
    if permission.request_from:
        return _ASK, f"Ask {_joined(list(map(code, permission.request_from)), 'or')}"
    if permission.others:
        return _OTHERS, f"Only {_joined(list(map(code, permission.others)), 'and')}"
    return _NOBODY, "Nobody"


def _names(some: Sequence[Permission], may: Sequence[Permission], most: int) -> str:
    """Name the actions of a group; what can be read is one thing if it all is in the group."""
    reads = [one for one in may if one.action.effect is Effect.READ]
    alike = len(reads) >= _READS_FROM and all(one in some and _unbound(one) for one in reads)
    named = [_name(one) for one in some if not (alike and one in reads)]
    named = [*named[: most - alike], *(["Check anything"] * alike)]
    left = len(some) - len(named) - (len(reads) - 1) * alike
    return " · ".join([*named, *([f"{left} more"] if left > 0 else [])])


def _unbound(permission: Permission) -> bool:
    return not permission.where and not permission.accounts


def _name(permission: Permission) -> str:
    bounds = f"{_accounts(permission)}{_where(permission)}{_reason(permission)}".strip(" ,")
    name = permission.action.plain_name
    return f"{name} ({bounds})" if bounds else name


def _ineligible(permissions: Permissions) -> str:
    person = permissions.person
    return next((why for name, why in INELIGIBLE.items() if getattr(person, name)), "")


def _identity(permissions: Permissions) -> str:
    roles = [code(role) for role in permissions.roles[:_MOST_ROLES]]
    who = f"You are {user(permissions.person.user)}, in {_joined(roles, 'and')}."
    return f"{who} {_groups_read(permissions)}".rstrip()


def _groups_read(permissions: Permissions) -> str:
    """Say how old what is known of user groups is, as of people who have just taken over."""
    if permissions.groups_age is None:
        return ""
    if permissions.groups_age < 1:
        return "User groups checked just now."
    return f"User groups checked {permissions.groups_age:.0f} s ago."


def _joined(words: Sequence[str], last: str) -> str:
    *others, end = words
    return f"{', '.join(others)} {last} {end}" if others else end


def _allowed(permission: Permission) -> str:
    how = _APPROVALS[permission.approval or Approval.NONE]
    return f"{_accounts(permission)} {how}{_where(permission)}{_reason(permission)}"


def _reason(permission: Permission) -> str:
    return ", with a reason" if permission.reason else ""


def _where(permission: Permission) -> str:
    return f", where {code(permission.where)}" if permission.where else ""


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
        return f"you can in {', '.join(map(channel, permission.channels))}"
    if permission.request_from:
        asks = " or ".join(code(role) for role in permission.request_from)
        return f"{others} can, and takes requests: {asks}" if others != asks else f"ask {asks}"
    return f"{others} can" if others else "nobody can"
