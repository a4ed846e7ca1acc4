"""What a search of the trail found: a page with its buttons, or a file; pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bot.audit.csv_rows import line, moment
from bot.catalog.error_codes import explain
from bot.catalog.registry import action_of
from bot.model.actions import Json
from bot.model.operations import Operation, Search, State
from bot.model.verdicts import Denied
from bot.operations.service import SearchPage
from bot.operations.worker import shown
from handlers.messages.cards import Block, Message
from handlers.messages.mrkdwn import escape
from handlers.messages.replies import arranged, buttons, operation_line

OLDER, FILE = "audit:older", "audit:file"
"""The action_ids of the buttons; the value of each is a search."""

SHOWN, WRITTEN = 15, 5000
"""How many operations stand on a page, and in a file."""

_VALUE_MOST = 2000
"""Characters of a button's value; Slack's limit."""

_PARTS = 7

_COLUMNS = (
    "operation",
    "asked",
    "ended",
    "team",
    "user",
    "via",
    "channel",
    "action",
    "target",
    "params",
    "region",
    "account",
    "rule",
    "approval",
    "decided_by",
    "approved_by",
    "emergency",
    "reason",
    "case",
    "ending",
    "request_id",
    "code",
    "means",
    "took",
    "attempts",
    "detail",
)


def found(answer: SearchPage | Denied) -> Message:
    """Show a page, or why somebody may see none."""
    return page(answer) if isinstance(answer, SearchPage) else Message(escape(answer.reason))


def page(found: SearchPage) -> Message:
    """List what was found, with buttons for older ones and for a file."""
    whose = "Asked here or by you" if found.search.reader else "Asked by anyone, anywhere"
    if not found.operations:
        none = "Nothing older" if found.search.before else "Nothing"
        return Message(f"{none} was found. {whose} is what was looked through.")
    lines = [operation_line(operation) for operation in found.operations]
    message = arranged([f"*{whose}, newest first*", *lines])
    return Message(message.text, (*message.blocks, *_buttons(found)))


def _buttons(found: SearchPage) -> Sequence[Block]:
    last = found.operations[-1]
    older = packed(found.search, (last.asked_at, last.id))
    every = packed(found.search, None)
    if len(older) > _VALUE_MOST:
        return ()
    elements = [_button(OLDER, "Older", older)] if found.older else []
    return [buttons(*elements, _button(FILE, "As a CSV file", every))]


def _button(action_id: str, label: str, value: str) -> Block:
    return {
        "type": "button",
        "action_id": action_id,
        "value": value,
        "text": {"type": "plain_text", "text": label, "emoji": False},
    }


def packed(search: Search, before: tuple[float, str] | None) -> str:
    """Write a search for a button, without who reads: that is asked anew."""
    state = search.state.value if search.state else ""
    given = [search.since, search.user, list(search.apis), search.target, state]
    given += [search.case, search.account, *(before or (0.0, ""))]
    return json.dumps(given, separators=(",", ":"))


def unpacked(value: str) -> Search | None:
    """Read it back; None if it is not what `packed` writes."""
    try:
        found = json.loads(value)
        since, user, apis, target, state, case, account, at, id_ = found
        texts = (user, target, state, case, account, id_, *apis)
        if not all(isinstance(one, str) for one in texts) or not isinstance(apis, list):
            return None
        before = (float(at), id_) if id_ else None
        wanted = State(state) if state else None
        about = (float(since), user, tuple(apis), target, wanted, before)
        return Search(*about, case=case, account=account)
    except (TypeError, ValueError):
        return None


def sheet(operations: Sequence[Operation]) -> str:
    """Write operations as CSV, secrets hidden and no cell a formula."""
    rows = [line(_COLUMNS)]
    for operation in operations:
        given = _cells(operation)
        rows.append(line([given.get(name) for name in _COLUMNS]))
    return "".join(rows)


def _cells(operation: Operation) -> Mapping[str, Json]:
    action = action_of(operation)
    means = explain(operation.code, action).means if operation.code else ""
    found: dict[str, Any] = {
        "operation": operation.id,
        "asked": moment(operation.asked_at),
        "ended": moment(operation.ended_at),
        "team": operation.actor.team,
        "user": operation.actor.user,
        "via": operation.via.value,
        "channel": operation.place.channel,
        "action": operation.api,
        "target": operation.target,
        "params": shown(operation, action) if operation.api else None,
        "region": operation.region,
        "account": operation.account,
        "rule": operation.rule,
        "approval": operation.approval.value,
        "decided_by": operation.decided_by,
        "approved_by": " ".join(one.user for one in operation.approvals.given),
        "emergency": "yes" if operation.emergency else "",
        "reason": operation.reason,
        "case": operation.case,
        "ending": operation.state.value,
        "request_id": operation.request_id,
        "code": operation.code,
        "means": means,
        "took": operation.duration,
        "attempts": operation.attempts,
        "detail": operation.detail,
    }
    return found
