"""The home tab, as a view; pure.

Source: https://docs.slack.dev/reference/views
"""

from collections.abc import Callable, Sequence
from typing import Any

from bot.model.actions import Effect
from bot.model.operations import Operation
from bot.operations.results import OffAirList, Permissions
from handlers.messages.blocks import Block, button_row, plain, section
from handlers.messages.mrkdwn import escape, format_clock, link
from handlers.messages.off_air import off_air_blocks
from handlers.messages.replies import operation_line
from handlers.messages.rights import nothing_at_all, request_button, rights_everywhere
from handlers.messages.ways_in import form_button

_OPERATIONS_MOST = 5
"""How many operations each part of the tab lists."""

_RECENT_MOST = 3
"""How many of those that have ended."""

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
    blocks = _opening(why, permissions)
    if waiting:
        blocks.append(_header("Waiting for you to approve"))
        blocks += [section(_to_decide(one, card(one))) for one in waiting[:_OPERATIONS_MOST]]
    if mine:
        blocks.append(_header("Your open requests"))
        blocks += [section(_open(one, card(one))) for one in mine[:_OPERATIONS_MOST]]
    blocks += _off_air(off_air)
    if not why or recent or trouble:
        blocks += _recent(recent, mine[:_OPERATIONS_MOST], trouble)
    if permissions is not None and not why:
        blocks.append(_header("What you can do"))
        blocks += map(section, _pack(rights_everywhere(permissions)))
    return {"type": "home", "blocks": blocks[:_BLOCKS_MOST]}


def _opening(why: str, permissions: Permissions | None) -> list[Block]:
    """Return what somebody can do first: the forms, or who can, and a request to them."""
    if why and permissions is not None:
        return [section(why), *request_button(permissions)]
    verbs = (Effect.STOP, Effect.START, Effect.READ)
    return [_header("Stop or start something"), button_row(*map(form_button, verbs))]


def _open(operation: Operation, permalink: str) -> str:
    where = link(permalink, "its card")
    return f"{operation_line(operation)} · {where}" if where else operation_line(operation)


def _to_decide(operation: Operation, permalink: str) -> str:
    expires_at = operation.expires_at
    until = f" by {format_clock(expires_at)}" if expires_at else ""
    where = link(permalink, "its card") or "its card"
    return f"{operation_line(operation)}\nApprove or deny it on {where}{until}."


def _off_air(off_air: OffAirList | None) -> list[Block]:
    if off_air is None or not (off_air.off or off_air.holds):
        return []
    blocks = [_header("Currently off"), *off_air_blocks(off_air, _OPERATIONS_MOST)]
    if max(len(off_air.off), len(off_air.holds)) > _OPERATIONS_MOST:
        blocks.append(section("`/stopstream off` lists more."))
    return blocks


def _recent(recent: Sequence[Operation], above: Sequence[Operation], trouble: str) -> list[Block]:
    """Return the latest operations without those that are listed above."""
    listed = {operation.id for operation in above}
    rest = [operation for operation in recent if operation.id not in listed]
    blocks: list[Block] = []
    if rest or trouble or not listed:
        blocks.append(_header("Your recent requests"))
    if trouble:
        blocks.append(section(escape(trouble)))
    blocks += [section(operation_line(one)) for one in rest[:_RECENT_MOST]]
    if not recent:
        blocks.append(section("Nothing yet. `/stopstream help` shows what you can type."))
    return blocks


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
