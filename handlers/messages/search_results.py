"""The results of an audit search: a page with its buttons, or a CSV file; pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from bot.audit.csv_rows import line, moment
from bot.catalog.error_codes import explain
from bot.catalog.registry import action_of
from bot.model.actions import Json
from bot.model.operations import Operation, Search, State
from bot.model.people import UsersByName
from bot.model.verdicts import Denied
from bot.operations.audit_facts import visible_params
from bot.operations.results import SearchPage
from handlers.messages.blocks import Block, Message, arrange, button_row, plain, section
from handlers.messages.mrkdwn import code, escape, plain_text, user
from handlers.messages.replies import operation_line

OLDER, FILE, PERSON = "audit:older", "audit:file", "audit:person"
"""The action_ids of the buttons, the last with a number; the value of each is a search."""

_PEOPLE_MOST = 5

PAGE_MOST, FILE_MOST = 15, 5000
"""How many operations a page and a file have."""

_VALUE_MOST = 2000
"""Characters of a button's value; Slack's limit."""

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
    "reason_code",
    "reason_text",
    "case",
    "ending",
    "request_id",
    "code",
    "means",
    "took",
    "attempts",
    "detail",
)


def search_reply(answer: SearchPage | Denied) -> Message:
    """Render a page of results, or why the reader may see none."""
    return page(answer) if isinstance(answer, SearchPage) else Message(escape(answer.reason))


def who_is_meant(name: str, found: UsersByName, search: Search) -> Message:
    """Ask which of several people is meant, with a button for each, or say that nobody is.

    A button holds the search for one person, as those for older results do.
    """
    shown = code(name, 80)
    way = "Mention the person: type @ and pick them from the list."
    if not found.users:
        unread = "" if found.complete else " among those that I could list"
        return Message(f"Nobody here is called {shown}{unread}. {way}")
    people = [f"{user(one.user)} ({code(one.handle, 80)})" for one in found.users[:_PEOPLE_MOST]]
    more = len(found.users) - len(people)
    others = f" and {more} more. {way}" if more else ""
    text = f"Several people are called {shown}: {', '.join(people)}{others}"
    buttons = [
        _button(
            f"{PERSON}:{number}",
            plain_text(code(f"{one.name} ({one.handle})", 70)),
            encode_search(replace(search, user=one.user), None),
        )
        for number, one in enumerate(found.users[:_PEOPLE_MOST])
    ]
    return Message(text, (section(text), button_row(*buttons)))


def page(found: SearchPage) -> Message:
    """List the results, with buttons for older ones and for a file."""
    scope = "made here or by you" if found.search.reader else "by anyone, anywhere"
    if not found.operations:
        older = "older " if found.search.before else ""
        return Message(f"No {older}requests found, {scope}.")
    lines = [operation_line(operation) for operation in found.operations]
    message = arrange([f"*Requests {scope}, newest first*", *lines])
    return Message(message.text, (*message.blocks, *_buttons(found)))


def _buttons(found: SearchPage) -> Sequence[Block]:
    last = found.operations[-1]
    older = encode_search(found.search, (last.asked_at, last.id))
    every = encode_search(found.search, None)
    if len(older) > _VALUE_MOST:
        return ()
    elements = [_button(OLDER, "Older", older)] if found.older else []
    return [button_row(*elements, _button(FILE, "As a CSV file", every))]


def _button(action_id: str, label: str, value: str) -> Block:
    return {
        "type": "button",
        "action_id": action_id,
        "value": value,
        "text": plain(label, 75),
    }


def encode_search(search: Search, before: tuple[float, str] | None) -> str:
    """Encode a search as a button's value, without its reader, who is determined at the press."""
    state = search.state.value if search.state else ""
    given = [search.since, search.user, list(search.apis), search.target, state]
    given += [search.case, search.account, *(before or (0.0, ""))]
    return json.dumps(given, separators=(",", ":"))


def decode_search(value: str) -> Search | None:
    """Decode a button's value; None if it is not what `encode_search` returns."""
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


def csv_file(operations: Sequence[Operation]) -> str:
    """Render operations as CSV, with secrets hidden and no cell that is a formula."""
    rows = [line(_COLUMNS)]
    for operation in operations:
        cells = _cells(operation)
        rows.append(line([cells.get(name) for name in _COLUMNS]))
    return "".join(rows)


def _cells(operation: Operation) -> Mapping[str, Json]:
    action = action_of(operation)
    means = explain(operation.code, action).means if operation.code else ""
    return {
        "operation": operation.id,
        "asked": moment(operation.asked_at),
        "ended": moment(operation.ended_at),
        "team": operation.actor.team,
        "user": operation.actor.user,
        "via": operation.via.value,
        "channel": operation.place.channel,
        "action": operation.api,
        "target": operation.target,
        "params": visible_params(operation, action) if operation.api else None,
        "region": operation.region,
        "account": operation.account,
        "rule": operation.rule,
        "approval": operation.approval.value,
        "decided_by": operation.decided_by,
        "approved_by": " ".join(one.user for one in operation.approvals.given),
        "emergency": "yes" if operation.emergency else "",
        "reason": operation.reason,
        "reason_code": operation.origin.reason_code,
        "reason_text": operation.origin.reason_text,
        "case": operation.case,
        "ending": operation.state.value,
        "request_id": operation.request_id,
        "code": operation.code,
        "means": means,
        "took": operation.duration,
        "attempts": operation.attempts,
        "detail": operation.detail,
    }
