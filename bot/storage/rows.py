"""Decode rows of the database into the model, and encode the model into columns.

Another release may have written a row. JSON keys that this one does not know are kept, keys that
are missing take the model's defaults; anything else is an UnreadableRowError.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, is_dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter, ValidationError

from bot.errors import UnreadableRowError
from bot.model.actions import Approval, Json, Params
from bot.model.commands import Via
from bot.model.messages import EphemeralNotice, MessageKind
from bot.model.operations import (
    NO_APPROVALS,
    NO_ORIGIN,
    NO_PREVIEW,
    Approvals,
    Choice,
    Decision,
    LaterEvent,
    LiveBefore,
    Operation,
    Origin,
    Preview,
    State,
)
from bot.model.people import Actor, Place
from bot.storage.transition import Changes

_PLACE, _NOTICE = TypeAdapter(Place), TypeAdapter(EphemeralNotice)
_APPROVALS, _PREVIEW, _ORIGIN = TypeAdapter(Approvals), TypeAdapter(Preview), TypeAdapter(Origin)
_KEYS = TypeAdapter(tuple[dict[str, str | int], ...])
_LATER = TypeAdapter(LaterEvent)
_NO_CONSENT = (NO_APPROVALS, NO_PREVIEW, NO_ORIGIN)
CONSENT_KEYS: Mapping[str, Mapping[str, str]] = {
    "approvals": {
        "needed": "needed",
        "roles": "roles",
        "people": "people",
        "escalates_to": "then",
        "remind": "remind",
        "reminded": "reminded",
        "given": "given",
        "break_glass_rule": "glass",
        "request_from": "asks",
        "lacking": "lacks",
        "withheld": "withheld",
    },
    "preview": {
        "state": "seen",
        "state_at_press": "found",
        "readings": "sights",
        "live_instead": "instead",
        "domains": "domains",
        "evidence": "evidence",
        "last_push": "push",
    },
    "origin": {
        "request_of": "request",
        "undoes": "undoes",
        "spans": "spans",
        "extension": "span",
        "usual": "usual",
        "alert": "alert",
        "reason_code": "reason_code",
        "reason_text": "reason_text",
    },
}
"""Keys in the JSON of the column `consent`, which three fields of an operation share; of each of
these, all fields are here."""

_NOTICE_KEYS = {"pressed_at": "at", "maybe_sent": "again"}
"""The same of a notice."""

COLUMN_OF = {
    "error_message": "said",
    "duration": "took",
    "duplicate_of": "joined",
    "verified_state": "looked",
}
"""Fields of an operation whose column has another name."""


def operation(row: sa.Row[Any]) -> Operation:
    """Decode a row of `operations`.

    Raises:
        UnreadableRowError: This release cannot decode it.
    """
    try:
        return _operation(row)
    except ValueError as error:
        raise UnreadableRowError("operations", row.id, row.id, _why(error)) from error


def decision(row: sa.Row[Any]) -> Decision:
    """Decode a row of `decisions`.

    Raises:
        UnreadableRowError: This release cannot decode it.
    """
    try:
        return Decision(
            key=row.key,
            operation=row.operation,
            choice=Choice(row.choice),
            actor=Actor(row.team, row.actor),
            place=_PLACE.validate_json(row.place, strict=True),
            reason=row.reason,
            message_ts=row.message_ts,
            id=row.id,
            at=row.at,
        )
    except ValueError as error:
        raise UnreadableRowError("decisions", row.id, row.operation, _why(error)) from error


def message(row: sa.Row[Any]) -> tuple[MessageKind, State | None, EphemeralNotice | None]:
    """Decode from a row of `outbox` its kind, the state that it is about, and its notice.

    Raises:
        UnreadableRowError: This release cannot decode it.
    """
    try:
        return MessageKind(row.owed), State(row.about) if row.about else None, _notice(row)
    except ValueError as error:
        raise UnreadableRowError("outbox", row.id, row.operation, _why(error)) from error


def changed_columns(changes: Changes) -> dict[str, Any]:
    """Return the columns of the fields that a transition sets, but for `consent`."""
    return {
        COLUMN_OF.get(name, name): _encoded(value)
        for name, value in changes.items()
        if name not in CONSENT_KEYS
    }


def _encoded(value: object) -> Any:
    match value:
        case Approval() | LiveBefore():
            return value.value
        case tuple():
            return keys(value)
        case Mapping():
            return json.dumps(dict(value))
        case _:
            return value


def keys(found: Collection[Params]) -> str:
    """Return the keys of resources as their column holds them."""
    return json.dumps([dict(one) for one in found]) if found else "[]"


def _json(found: Params) -> str:
    # Most have none when they are stored, before an ack.
    return json.dumps(found) if found else "{}"


def later(event: LaterEvent | None) -> str:
    """Return what happened later as its column holds it."""
    return _LATER.dump_json(event).decode() if event else ""


def merged_consent(id_: str, stored: str, parts: Mapping[str, Any]) -> str:
    """Return the JSON of the column `consent` with some of its parts replaced.

    The other parts, and keys of a newer release, stay as they are.

    Args:
        id_: Id of the operation.
        stored: The column as it is.
        parts: New values by field of Operation.

    Raises:
        UnreadableRowError: The column holds no JSON object.
    """
    try:
        found = dict(_object(stored))
    except ValueError as error:
        raise UnreadableRowError("operations", id_, id_, _why(error)) from error
    for field, part in parts.items():
        found |= _stored_part(field, part)
    return _CONSENT.encode(found)


def _stored_part(field: str, part: object) -> dict[str, Any]:
    """Return what the column `consent` holds of one field of an operation."""
    return {key: getattr(part, name) for name, key in CONSENT_KEYS[field].items()}


def _plain(value: object) -> object:
    """Return what JSON has no form of as what has one."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"no JSON for {type(value).__name__}")


# Only what is nested is copied: most operations have nothing there, and each is written often.
_CONSENT = json.JSONEncoder(default=_plain)


def notice(value: EphemeralNotice) -> str:
    """Return a notice as its column holds it."""
    return json.dumps(_stored(asdict(value), _NOTICE_KEYS))


def _stored(found: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, Any]:
    return {keys.get(name, name): value for name, value in found.items()}


def _named(stored: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, Any]:
    names = {key: name for name, key in keys.items()}
    return {names.get(key, key): value for key, value in stored.items()}


def columns(operation: Operation) -> dict[str, Any]:
    """Return the columns of an operation that its fields fill."""
    return {
        "id": operation.id,
        "key": operation.key,
        "state": operation.state.value,
        "seq": operation.seq,
        "team": operation.actor.team,
        "actor": operation.actor.user,
        "via": operation.via.value,
        "channel": operation.place.channel,
        "thread_ts": operation.place.thread_ts,
        "reply_url": operation.place.reply_url,
        "text": operation.text,
        "api": operation.api,
        "params": _json(operation.params),
        "region": operation.region,
        "account": operation.account,
        "rule": operation.rule,
        "approval": operation.approval.value,
        "detail": operation.detail,
        "expires_at": operation.expires_at,
        "decided_by": operation.decided_by,
        "decided_at": operation.decided_at,
        "sent_at": operation.sent_at,
        "ended_at": operation.ended_at,
        "attempts": operation.attempts,
        "request_id": operation.request_id,
        "code": operation.code,
        "said": operation.error_message,
        "result": _json(operation.result),
        "took": operation.duration,
        "card_channel": operation.card_channel,
        "card_ts": operation.card_ts,
        "consent": _consent(operation),
        "reason": operation.reason,
        "emergency": operation.emergency,
        "joined": operation.duplicate_of,
        "looked": operation.verified_state,
        "live_before": operation.live_before.value if operation.live_before else "",
        "live_now": keys(operation.live_now),
        "later": later(operation.later),
        "target": operation.target,
        "case": operation.case,
        "runbook": operation.runbook,
    }


def _consent(operation: Operation) -> str:
    """Return the parts that an operation has; those that are missing are read as having none."""
    found: dict[str, Any] = {}
    parts = (operation.approvals, operation.preview, operation.origin)
    for field, part, nothing in zip(CONSENT_KEYS, parts, _NO_CONSENT, strict=True):
        if part is not nothing and part != nothing:
            found |= _stored_part(field, part)
    return _CONSENT.encode(found) if found else "{}"


def _operation(row: sa.Row[Any]) -> Operation:
    approvals, preview, origin = _parts_of(row.consent)
    return Operation(
        id=row.id,
        key=row.key,
        state=State(row.state),
        actor=Actor(row.team, row.actor),
        place=Place(row.channel, row.thread_ts, row.reply_url),
        via=Via(row.via),
        text=row.text,
        asked_at=row.asked_at,
        api=row.api,
        params=_object(row.params),
        region=row.region,
        account=row.account,
        rule=row.rule,
        approval=Approval(row.approval),
        detail=row.detail,
        expires_at=row.expires_at,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        sent_at=row.sent_at,
        ended_at=row.ended_at,
        attempts=row.attempts,
        request_id=row.request_id,
        code=row.code,
        error_message=row.said,
        result=_object(row.result),
        duration=row.took,
        card_channel=row.card_channel,
        card_ts=row.card_ts,
        approvals=approvals,
        preview=preview,
        origin=origin,
        reason=row.reason,
        emergency=row.emergency,
        duplicate_of=row.joined,
        verified_state=row.looked,
        live_before=LiveBefore(row.live_before) if row.live_before else None,
        live_now=_KEYS.validate_json(row.live_now),
        target=row.target,
        case=row.case,
        runbook=row.runbook,
        later=_LATER.validate_json(row.later, strict=True) if row.later else None,
        seq=row.seq,
    )


def _object(text: str) -> Mapping[str, Json]:
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("its JSON is nested too deeply") from None
    if isinstance(found, dict):
        return found
    raise ValueError("its JSON is not an object")


# An operation is decoded more than ten times, and its consent changes once or twice.
@lru_cache(256)
def _parts_of(consent: str) -> tuple[Approvals, Preview, Origin]:
    if consent == "{}":
        return _NO_CONSENT
    stored = _object(consent)
    approvals, preview, origin = (
        json.dumps({name: stored[key] for name, key in keys.items() if key in stored})
        for keys in CONSENT_KEYS.values()
    )
    return (
        _APPROVALS.validate_json(approvals, strict=True),
        _PREVIEW.validate_json(preview, strict=True),
        _ORIGIN.validate_json(origin, strict=True),
    )


def _notice(row: sa.Row[Any]) -> EphemeralNotice | None:
    if not row.place:
        return None
    stored = _named(_object(row.place), _NOTICE_KEYS)
    found = {**stored, "maybe_sent": bool(row.uncertain)}
    return _NOTICE.validate_json(json.dumps(found), strict=True)


def _why(error: ValueError) -> str:
    """Return the reason in one line, without the values: they may hold a stream key."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error).splitlines()[0][:200]
