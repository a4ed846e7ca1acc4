"""The messages about an operation: its card, its thread, its lines in the audit channel."""

from collections.abc import Iterator
from dataclasses import replace

from bot.catalog.registry import action_of
from bot.model.actions import Approval
from bot.model.operations import (
    Approvals,
    Evidence,
    GivenApproval,
    LaterKind,
    LiveBefore,
    Operation,
    Preview,
    State,
)
from bot.operations.results import Touched
from handlers.messages import audit_line, cards, endings, off_air
from handlers.messages.confirmation import confirmation_details
from handlers.messages.touched import touched_reply
from tests.tools.gallery_operations import (
    ALICE,
    APPROVED,
    AT,
    BAN,
    BOB,
    LINK,
    MISSPELT,
    REQUEST_ID,
    REQUESTED,
    SEEN,
    STOP,
    WAITS_TO_APPROVE,
    WAITS_TO_CONFIRM,
    Entry,
    failed,
    later,
    operation,
)

_CARD, _THREAD, _AUDIT = "Card in the channel", "In the card's thread", "Audit channel"


def entries() -> Iterator[Entry]:
    """Yield every message about an operation."""
    yield from _stop()
    yield from _confirm()
    yield from _approval()
    yield from _no_success()
    yield from _other_actions()
    yield from _watch()
    yield from _audit_lines()


def _card(flow: str, title: str, of: Operation) -> Entry:
    return Entry(flow, title, _CARD, cards.card(of, action_of(of)))


def _ending(flow: str, title: str, of: Operation) -> Entry:
    return Entry(flow, title, _THREAD, endings.ending(of, action_of(of)))


def _looked(flow: str, title: str, of: Operation, state: str) -> Entry:
    seen = replace(of, verified_state=SEEN[state])
    return Entry(flow, title, _THREAD, endings.verification(seen, action_of(of), "8"))


def _watched(flow: str, title: str, of: Operation, seconds: float, state: str) -> Entry:
    seen = endings.seen(of, action_of(of), f"{seconds:.3f} {SEEN[state]}")
    return Entry(flow, title, _THREAD, seen)


def _stop() -> Iterator[Entry]:
    flow = "A stop that needs nobody else"
    for state in (State.ASKED, State.DUE, State.RUNNING):
        yield _card(flow, f"{state.value}", replace(STOP, state=state, attempts=0, request_id=""))
    retried = replace(STOP, state=State.DUE, request_id="", detail="Tencent Cloud is overloaded.")
    yield _card(flow, "tried again", retried)
    yield _card(flow, "sent", STOP)
    yield _ending(flow, "sent", STOP)
    off = later(LaterKind.CHECKED, SEEN["off"])
    yield _card(flow, "off", replace(STOP, later=off))
    yield _looked(flow, "off", STOP, "off")
    back = later(LaterKind.ON_AGAIN, SEEN["live"])
    yield _card(flow, "live again", replace(STOP, later=back))
    yield _looked(flow, "live again", STOP, "live")
    yield _watched(flow, "off, told by a callback", STOP, 2, "off")
    yield _watched(flow, "live again, told by a callback", STOP, 8, "live")
    unread = later(LaterKind.CHECKED, SEEN["unread"])
    yield _card(flow, "could not be checked", replace(STOP, later=unread))
    yield _looked(flow, "could not be checked", STOP, "unread")
    yield _card(flow, "nothing was live", MISSPELT)
    yield _ending(flow, "nothing was live", MISSPELT)
    yield _card(flow, "nothing was live, and still is not", replace(MISSPELT, later=off))
    unknown = replace(STOP, live_before=LiveBefore.UNREADABLE)
    yield _card(flow, "not known whether it was live", unknown)
    yield _card(flow, "the same, not live afterwards", replace(unknown, later=off))
    yield _looked(flow, "the same, not live afterwards", unknown, "off")


def _confirm() -> Iterator[Entry]:
    flow = "A ban that its asker confirms"
    yield _card(flow, "waiting", WAITS_TO_CONFIRM)
    reasoned = _with_reason(WAITS_TO_CONFIRM)
    yield _card(flow, "waiting, with a reason of the policy", reasoned)
    details = confirmation_details(reasoned, action_of(reasoned))
    yield Entry(flow, "Details of the same", "To who presses", details)
    wrong = replace(
        WAITS_TO_CONFIRM,
        target="strem1",
        params={**WAITS_TO_CONFIRM.params, "StreamName": "strem1"},
        preview=replace(
            WAITS_TO_CONFIRM.preview,
            state="inactive",
            readings=(),
            live_instead=({"StreamName": "stream1"},),
        ),
    )
    yield _card(flow, "waiting, nothing is live under that name", wrong)
    yield _card(flow, "sent", BAN)
    yield _ending(flow, "sent", BAN)
    for title, found in (
        ("sent, with a snapshot", Evidence("snapshot", "8f2e41")),
        ("sent, without the snapshot", Evidence("snapshot", problem="no answer within 2 s")),
    ):
        seen = replace(BAN.preview, evidence=found)
        yield _ending(flow, title, replace(BAN, preview=seen))
    yield _card(flow, "off", replace(BAN, later=later(LaterKind.CHECKED, "forbid")))
    yield _looked(flow, "off", BAN, "banned")
    yield _watched(flow, "no longer banned, seen while it was watched", BAN, 95, "off")
    for title, soon in (("ends by itself", ""), ("ends soon", "soon")):
        yield Entry(flow, title, _THREAD, off_air.expiry_notice(BAN, action_of(BAN), soon))
    for title, state in (("has ended", "inactive"), ("is still off", "forbid"), ("unread", "")):
        yield Entry(flow, title, _THREAD, off_air.expired_notice(BAN, action_of(BAN), state))
    became = {
        "extended": later(LaterKind.EXTENDED, by=BOB, until=AT + 3600),
        "undone": later(LaterKind.UNDONE, by=BOB),
        "ended": later(LaterKind.ENDED, "inactive"),
        "still off": later(LaterKind.STILL_OFF, "forbid"),
        "no longer banned": later(LaterKind.ON_AGAIN, "inactive"),
        "live again": later(LaterKind.ON_AGAIN, "active"),
    }
    for title, event in became.items():
        yield _card(flow, title, replace(BAN, later=event))
    again = later(LaterKind.STOPPED_AGAIN, by=BOB, until=AT + 3600)
    yield _card(flow, "stopped again", replace(STOP, later=again))
    yield _card(flow, "cancelled", _ended(WAITS_TO_CONFIRM, State.CANCELLED, ALICE))
    yield _card(flow, "expired", replace(WAITS_TO_CONFIRM, state=State.EXPIRED))
    yield _ending(flow, "expired", replace(WAITS_TO_CONFIRM, state=State.EXPIRED))


def _with_reason(of: Operation) -> Operation:
    text = "A rights holder has asked for it"
    origin = replace(of.origin, reason_code="copyright", reason_text=text)
    return replace(of, origin=origin)


def _ended(of: Operation, state: State, by: str, **more: str) -> Operation:
    return replace(of, state=state, decided_by=by, decided_at=AT + 60, **more)  # type: ignore[arg-type]


def _approval() -> Iterator[Entry]:
    flow = "A second person"
    yield _card(flow, "waiting", WAITS_TO_APPROVE)
    glass = replace(WAITS_TO_APPROVE.approvals, break_glass_rule="roles.oncall.allow[1]")
    yield _card(
        flow, "waiting, an emergency may skip it", replace(WAITS_TO_APPROVE, approvals=glass)
    )
    two = replace(APPROVED, needed=2)
    one_of_two = replace(WAITS_TO_APPROVE, approvals=two, decided_by=BOB, decided_at=AT + 60)
    yield _card(flow, "one of two has approved", one_of_two)
    changed = replace(WAITS_TO_APPROVE.preview, state_at_press="inactive")
    yield _card(flow, "its state has changed", replace(WAITS_TO_APPROVE, preview=changed))
    nobody = replace(WAITS_TO_APPROVE, approvals=Approvals())
    yield _card(flow, "nobody may approve", nobody)
    yield Entry(
        flow, "reminder", _THREAD, endings.reminder(WAITS_TO_APPROVE, action_of(WAITS_TO_APPROVE))
    )
    sent = replace(BAN, approval=Approval.SECOND_PERSON, approvals=APPROVED, decided_by=BOB)
    yield _card(flow, "approved and sent", sent)
    yield _ending(flow, "approved and sent", sent)
    emergency = replace(sent, approvals=Approvals(), decided_by=ALICE, emergency=True)
    emergency = replace(emergency, reason="The goal is being rebroadcast.")
    yield _card(flow, "sent as an emergency", emergency)
    yield _ending(flow, "sent as an emergency", emergency)
    denied = _ended(WAITS_TO_APPROVE, State.DENIED, BOB, reason="wrong domain")
    yield _card(flow, "denied", denied)
    yield _ending(flow, "denied", denied)
    yield _card(flow, "expired", replace(WAITS_TO_APPROVE, state=State.EXPIRED))
    yield _ending(flow, "expired", replace(WAITS_TO_APPROVE, state=State.EXPIRED))
    superseded = _ended(
        WAITS_TO_APPROVE,
        State.CANCELLED,
        BOB,
        duplicate_of="op2",
        detail="U0BOB asked for the same, and that went ahead.",
    )
    yield _card(flow, "superseded", superseded)
    yield _card(flow, "asked for by somebody who may not", REQUESTED)
    read = Touched(replace(REQUESTED, preview=WAITS_TO_APPROVE.preview), AT + 60, hidden=False)
    missing = Preview("inactive", live_instead=({"StreamName": "stream1"},))
    found = replace(
        read, operation=replace(REQUESTED, preview=missing, target="strem1"), hidden=True
    )
    for title, one in (("", read), (", nothing is live under that name", found)):
        shown = touched_reply(one, action_of(REQUESTED))
        yield Entry(flow, f"what the same touches{title}", "To the approver who presses", shown)
    taken = GivenApproval(BOB, AT + 60)
    yield _card(
        flow,
        "the same, granted",
        replace(
            BAN,
            origin=REQUESTED.origin,
            decided_by=BOB,
            approvals=replace(REQUESTED.approvals, given=(taken,)),
        ),
    )


_CODES = {
    "AuthFailure.SignatureFailure": "The provided credentials could not be validated.",
    "AuthFailure.SignatureExpire": "The timestamp is too old.",
    "AuthFailure.UnauthorizedOperation": "You are not authorized to perform operation (live:Drop).",
    "ResourceNotFound.StopService": "The service is suspended.",
    "InvalidParameter": "DomainName is wrong.",
    "UnsupportedRegion": "The region is not supported.",
    "FailedOperation.HasNotLivingStream": "No stream is live.",
    "FailedOperation.ConflictAction": "Conflict.",
    "LimitExceeded": "Quota exceeded.",
    "RequestLimitExceeded": "Too many requests.",
    "FailedOperation": "The operation failed.",
    "AuthFailure.InvalidAuthorization": "The Authorization header is invalid.",
    "ActionOffline": "The API is offline.",
}
"""A code of each class, with a message as Tencent Cloud writes it."""


def _no_success() -> Iterator[Entry]:
    flow = "What did not work"
    for code, message in _CODES.items():
        yield _card(flow, f"refused: {code}", failed(code, message))
        yield _ending(flow, f"refused: {code}", failed(code, message))
    unsent = replace(failed("", ""), detail="Tencent Cloud could not be reached.", request_id="")
    yield _card(flow, "never sent", unsent)
    yield _ending(flow, "never sent", unsent)
    unknown = replace(unsent, state=State.UNKNOWN, detail="No answer within 10 s.")
    yield _card(flow, "unknown, may be sent again", unknown)
    yield _ending(flow, "unknown, may be sent again", unknown)
    start = operation(
        "StartStreamIngest",
        State.UNKNOWN,
        detail="No answer within 10 s.",
        target="room-7",
        params={"RoomId": "room-7", "UserId": "u-17"},
    )
    yield _card(flow, "unknown, must not be sent again", start)
    yield _ending(flow, "unknown, must not be sent again", start)
    internal = replace(unknown, code="InternalError", error_message="An internal error.")
    yield _ending(flow, "unknown with a code", replace(internal, request_id=REQUEST_ID))
    over = operation(
        "StopStreamIngest",
        State.ALREADY,
        code="FailedOperation.TaskFinished",
        request_id=REQUEST_ID,
        region="ap-singapore",
    )
    yield _card(flow, "over already", over)
    yield _ending(flow, "over already", over)
    late = endings.late_answer(
        replace(unknown, request_id=""), action_of(unknown), f"accepted {REQUEST_ID}"
    )
    yield Entry(flow, "an answer that came late", _THREAD, late)


def _other_actions() -> Iterator[Entry]:
    flow = "Other actions"
    read = operation(
        "DescribeLiveStreamState",
        State.ACCEPTED,
        request_id=REQUEST_ID,
        duration=0.031,
        result={"StreamState": "active"},
    )
    for title, state in (("live", "active"), ("not live", "inactive"), ("banned", "forbid")):
        found = replace(read, result={"StreamState": state})
        yield _card(flow, f"status: {title}", found)
        yield _ending(flow, f"status: {title}", found)
    sent = {"request_id": REQUEST_ID, "duration": 0.051}
    for api in (
        "ResumeLiveStream",
        "StartLivePadStream",
        "ForbidLiveDomain",
        "StopPublishStream",
        "StopLiveRecord",
    ):
        done = operation(api, State.ACCEPTED, **sent)
        yield _card(flow, f"sent: {api}", done)
        yield _ending(flow, f"sent: {api}", done)
    for api, detail in (("Hold", ""), ("Release", "")):
        done = operation(
            api,
            State.ACCEPTED,
            params={"Target": "stream1", "Reason": "court order"},
            target="stream1",
            detail=detail,
        )
        yield _card(flow, api, done)
        yield _ending(flow, api, done)


def _watch() -> Iterator[Entry]:
    flow = "A watch that somebody asked for"
    until = {"Until": "2026-11-20T20:30:00Z"}
    place = {name: STOP.params[name] for name in ("StreamName", "DomainName", "AppName")}
    watch = operation(
        "Watch",
        State.ACCEPTED,
        params=place | until,
        result={"StreamState": "active"},
        rule="roles.oncall.allow[0]",
    )
    yield _card(flow, "begun", watch)
    yield _ending(flow, "begun, and it is live", watch)
    off = replace(watch, result={"StreamState": "inactive"})
    yield _ending(flow, "begun, and it is not live", off)
    yield _ending(flow, "begun, and its state could not be read", replace(watch, result={}))
    for title, observed in (
        ("live", "1 - active"),
        ("off", "2 180.000 inactive"),
        ("banned", "3 - forbid"),
        ("its time is over", "over"),
        ("its asker may not read it any more", "over U0ALICE may no longer read its state"),
    ):
        yield Entry(flow, title, _THREAD, endings.seen(watch, action_of(watch), observed))
    on = replace(watch, later=later(LaterKind.ON_AGAIN, state="active"))
    yield _card(flow, "seen live", on)
    ended = replace(watch, later=later(LaterKind.ENDED, state="inactive"))
    yield _card(flow, "over", ended)
    yield _card(flow, "ended by somebody", replace(watch, later=later(LaterKind.UNDONE, by=BOB)))
    refused = replace(watch, state=State.FAILED, result={}, detail=_TOO_MANY_WATCHED)
    yield _card(flow, "one too many", refused)
    unwatch = operation("Unwatch", State.ACCEPTED, params=place)
    yield _card(flow, "Stop watching", unwatch)
    yield _ending(flow, "Stop watching", unwatch)


_TOO_MANY_WATCHED = (
    "You are watching 10 streams, the most allowed. Press Stop watching on a card to free one."
)


def _audit_lines() -> Iterator[Entry]:
    flow = "The audit channel"
    lines = {
        "sent": STOP,
        "denied by the policy": replace(
            STOP,
            state=State.DENIED,
            request_id="",
            detail="You can't stop a live stream here. oncall can.",
        ),
        "denied by a person": _ended(WAITS_TO_APPROVE, State.DENIED, BOB, reason="wrong domain"),
        "failed": failed("AuthFailure.SignatureFailure", "The credentials are wrong."),
        "unknown": replace(
            STOP, state=State.UNKNOWN, request_id="", detail="No answer within 10 s."
        ),
        "with a reason of the policy": _with_reason(STOP),
        "emergency": replace(BAN, emergency=True, reason="The goal is being rebroadcast."),
        "not understood": replace(
            STOP,
            state=State.INVALID,
            api="",
            params={},
            text="lvie stream1",
            detail='There is no command "lvie".',
        ),
    }
    for title, of in lines.items():
        yield Entry(flow, title, _AUDIT, audit_line.audit_line(of, action_of(of), LINK))
    decided = replace(BAN, state=State.DUE, approvals=APPROVED)
    yield Entry(
        flow,
        "a decision",
        _AUDIT,
        audit_line.audit_line(decided, action_of(decided), LINK, State.DUE),
    )
