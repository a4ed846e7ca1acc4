"""The home tab, as a view; pure.

Source: https://docs.slack.dev/reference/views
"""

from collections.abc import Callable, Sequence
from typing import Any

from bot.catalog.registry import action_of
from bot.model.actions import Effect
from bot.model.operations import Operation
from bot.operations.results import OffAirList, Permissions
from handlers.messages.blocks import Block, button_row, plain, section
from handlers.messages.later_text import later_headline
from handlers.messages.mrkdwn import escape, format_clock, format_slack_time, link, user
from handlers.messages.off_air import off_air_blocks
from handlers.messages.rights import nothing_at_all, request_button, rights_everywhere
from handlers.messages.state_text import headline
from handlers.messages.ways_in import form_button

_LISTED_MOST = 3
"""Operations on the tab, in all its lists: with more it is longer than the screen of a phone."""

_LISTS_MOST, _NAMES_MOST = 2, 2
"""How many lists leave room for what somebody can do, and names of actions in a line of that."""

_COUNTED_MOST = 10

_BLOCKS_MOST = 100
"""Blocks in a view; Slack's limit."""


def closed_home(why: str) -> dict[str, Any]:
    """Render the tab of somebody who may not use the bot: why, and nothing else."""
    return {"type": "home", "blocks": [section(escape(why))]}


def home(
    permissions: Permissions | None,
    recent: Sequence[Operation],
    mine: Sequence[Operation] = (),
    waiting: Sequence[Operation] = (),
    off_air: OffAirList | None = None,
    *,
    card: Callable[[Operation], str] = lambda _operation: "",
    trouble: str = "",
) -> dict[str, Any]:
    """Render the home tab of one person.

    Args:
        permissions: None if Slack did not say who they are.
        recent: What they asked, the newest first.
        mine: What they asked and has not ended.
        waiting: What waits for their approval.
        off_air: What is off and not yet on.
        card: Returns the permalink of an operation's card.
        trouble: A sentence about what could not be read.
    """
    why = nothing_at_all(permissions) if permissions is not None else ""
    off_air = off_air or OffAirList()
    off = [*(one.operation for one in off_air.off), *off_air.holds]
    above = {one.id for one in (*mine, *off)}
    rest = [one for one in recent if one.id not in above]
    shown = _shares([len(one) for one in (waiting, mine, off, rest)], _LISTED_MOST)
    lists = [
        _list(
            "Waiting for you to approve", waiting, shown[0], lambda one: _to_decide(one, card(one))
        ),
        _list("Your open requests", mine, shown[1], lambda one: _open(one, card(one))),
        _off_air(off_air, shown[2]),
        _list("Your recent requests", rest[: shown[3]], shown[3], _line),
    ]
    lists = [blocks for blocks in lists if blocks]
    blocks = [*_opening(why, permissions), *(block for one in lists for block in one)]
    if trouble:
        blocks.append(section(escape(trouble)))
    if permissions is not None and not why:
        blocks += _rights(permissions, len(lists))
    if not (lists or trouble or why):
        blocks.append(section("No requests yet. `/stopstream help` shows what you can type."))
    return {"type": "home", "blocks": blocks[:_BLOCKS_MOST]}


def _shares(counts: Sequence[int], most: int) -> list[int]:
    """Return how many of each list are shown, `most` in all: one of each, then one more of each."""
    shares = [0] * len(counts)
    while sum(shares) < min(most, sum(counts)):
        for at, count in enumerate(counts):
            shares[at] += shares[at] < count and sum(shares) < most
    return shares


def _opening(why: str, permissions: Permissions | None) -> list[Block]:
    """Return what somebody can do first: the forms, or who can, and a request to them."""
    if why and permissions is not None:
        return [section(why), *request_button(permissions)]
    verbs = (Effect.STOP, Effect.START, Effect.READ)
    return [button_row(*map(form_button, verbs))]


def _list(
    title: str, operations: Sequence[Operation], shown: int, line: Callable[[Operation], str]
) -> list[Block]:
    """Return a list of operations under its title, which says how many there are if not all fit."""
    if not operations:
        return []
    return [
        _header(_title(title, len(operations), shown)),
        *(section(line(one)) for one in operations[:shown]),
    ]


def _title(title: str, count: int, shown: int) -> str:
    if count <= shown:
        return title
    # No more of them than these may have been read.
    return f"{title}: {shown} of {count if count < _COUNTED_MOST else f'{_COUNTED_MOST} or more'}"


def _line(operation: Operation) -> str:
    """Describe an operation as briefly as a phone needs it; its card has the rest."""
    action = action_of(operation)
    head = later_headline(operation, action) or headline(operation, action)
    return f"• {head} · {format_slack_time(operation.asked_at)}"


def _open(operation: Operation, permalink: str) -> str:
    where = link(permalink, "its card")
    return f"{_line(operation)} · {where}" if where else _line(operation)


def _to_decide(operation: Operation, permalink: str) -> str:
    where = link(permalink, "its card") or "its card"
    asked = f"{_line(operation)} · {user(operation.actor.user)} · approve or deny on {where}"
    expires_at = operation.expires_at
    return f"{asked} by {format_clock(expires_at)}" if expires_at else asked


def _off_air(found: OffAirList, shown: int) -> list[Block]:
    count = len(found.off) + len(found.holds)
    if not count:
        return []
    off = found.off[:shown]
    fitting = OffAirList(off, found.holds[: shown - len(off)])
    blocks = [
        _header(_title("Currently off", count, shown)),
        *off_air_blocks(fitting, shown, brief=True),
    ]
    return blocks if count <= shown else [*blocks, section("`/stopstream off` lists all.")]


def _rights(permissions: Permissions, lists: int) -> list[Block]:
    """Return what somebody can do, the less of it the more lists are above it."""
    if lists > _LISTS_MOST:
        return [section("`/stopstream whoami` shows what you can do.")]
    lines = rights_everywhere(permissions, _NAMES_MOST) if lists else rights_everywhere(permissions)
    return [_header("What you can do"), *map(section, _pack(lines))]


def _pack(lines: Sequence[str], most: int = 2900) -> list[str]:
    """Join lines into as few texts as fit into sections."""
    packs: list[str] = []
    for line in lines:
        if packs and len(packs[-1]) + len(line) < most:
            packs[-1] += "\n" + line
        else:
            packs.append(line)
    return packs[:50]


def _header(text: str) -> Block:
    return {"type": "header", "text": plain(text, 150)}
