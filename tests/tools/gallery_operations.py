"""The made-up operations of the gallery: fixed names, fixed times."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.catalog.readings import unshown
from bot.catalog.registry import ACTIONS, by_api
from bot.commands.vocabulary import Vocabulary
from bot.model.actions import Approval, Reading
from bot.model.commands import Via
from bot.model.operations import (
    UNREADABLE,
    Approvals,
    GivenApproval,
    LaterEvent,
    LaterKind,
    LiveBefore,
    Operation,
    Origin,
    Preview,
    State,
)
from bot.model.people import Actor, Place
from handlers.messages.blocks import Message

AT = 1_795_204_800.0
"""When everything happens: Nov 20, 2026, 8 PM."""

ALICE, BOB, CAROL = "U0ALICE", "U0BOB", "U0CAROL"
NAMES = {
    ALICE: "@alice",
    BOB: "@bob",
    CAROL: "@carol",
    "S0LEADS": "@leads",
    "C0INC": "#incidents",
    "C0OWNER": "#stopstream-help",
}
LINK = "https://example.slack.com/archives/C0INC/p1"
REQUEST_ID = "8e50cdb5-56dc-408b-89b0-31818958d424"
OPERATION_ID = "w5akwi4hgk42u7bi"

_USUAL = ("DomainName", "PushDomainName", "AppName")
"""The parameters that have their default."""

VOCABULARY = Vocabulary(
    actions=ACTIONS,
    defaults={"live": {"DomainName": "push.example.com"}},
    targets={"main-stage": "live stream1"},
    region="ap-singapore",
    sites={action.product.name: action.product.site for action in ACTIONS},
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A message of the gallery.

    Attributes:
        to: Who reads it, and where.
    """

    flow: str
    title: str
    to: str
    shown: Message | Mapping[str, Any]


def operation(api: str, state: State, **fields: Any) -> Operation:
    """Return an operation of Alice's on stream1."""
    action = by_api(api)
    known = {
        "StreamName": "stream1",
        "DomainName": "push.example.com",
        "PushDomainName": "push.example.com",
        "AppName": "live",
        "TaskId": "task-1",
        "SdkAppId": 1400000000,
        "UserId": "u-17",
        "ResumeTime": "2026-11-20T20:30:00Z",
    }
    names = [param.api for param in action.params if param.required]
    if api == "ForbidLiveStream":
        names.append("ResumeTime")
    params = {name: known[name] for name in names if name in known}
    given = {
        "params": params,
        "target": str(params.get((*action.effect_spec.key, "")[0], "")),
        "rule": "roles.oncall.allow[0]",
        "attempts": 1,
        "origin": Origin(usual=_USUAL),
        "ended_at": AT if state in _ENDED else None,
        **fields,
    }
    return Operation(
        id=OPERATION_ID,
        key="trigger",
        state=state,
        actor=Actor("T0HOME", ALICE),
        place=Place("C0INC"),
        via=Via.COMMAND,
        text=f"{action.words} stream1",
        asked_at=AT,
        api=api,
        card_ts="1795204800.000100",
        **given,
    )


_ENDED = (State.ACCEPTED, State.ALREADY, State.FAILED, State.UNKNOWN)

STOP = operation(
    "DropLiveStream",
    State.ACCEPTED,
    request_id=REQUEST_ID,
    duration=0.045,
    live_before=LiveBefore.LIVE,
)
SPANS = Origin(spans={"ResumeTime": 1800.0}, usual=_USUAL)
BAN = replace(
    operation("ForbidLiveStream", State.ACCEPTED, request_id=REQUEST_ID, duration=0.051),
    origin=SPANS,
    live_before=LiveBefore.LIVE,
    decided_by=ALICE,
    decided_at=AT,
    approval=Approval.CONFIRM,
)
WAITS_TO_CONFIRM = operation(
    "ForbidLiveStream",
    State.WAITING,
    origin=SPANS,
    approval=Approval.CONFIRM,
    expires_at=AT + 900,
    preview=Preview(
        "active",
        readings=(
            Reading("Live since {}, pushed to {}.", (AT - 960, "push.example.com")),
            Reading("Not being recorded."),
        ),
    ),
)
WAITS_TO_APPROVE = replace(
    WAITS_TO_CONFIRM,
    approval=Approval.SECOND_PERSON,
    approvals=Approvals(roles=("leads",), people=("S0LEADS",)),
)
REQUESTED = replace(
    WAITS_TO_APPROVE,
    approvals=replace(WAITS_TO_APPROVE.approvals, lacking="they have no role"),
    origin=replace(SPANS, request_of="op0"),
    preview=Preview(readings=(unshown(["DescribeLiveStreamState"]),)),
)
MISSPELT = operation(
    "DropLiveStream",
    State.ACCEPTED,
    params={"StreamName": "strem1", "DomainName": "push.example.com", "AppName": "live"},
    target="strem1",
    request_id=REQUEST_ID,
    duration=0.045,
    live_before=LiveBefore.NOT_LIVE,
    live_now=({"StreamName": "stream1", "DomainName": "push.example.com", "AppName": "live"},),
)
APPROVED = Approvals(roles=("leads",), people=("S0LEADS",), given=(GivenApproval(BOB, AT + 60),))


def later(kind: LaterKind, state: str = "", by: str = "", until: float | None = None) -> LaterEvent:
    """Return what happened eight seconds after the stop."""
    return LaterEvent(kind, AT + 8.0, state, by, until)


def failed(code: str, message: str, **fields: Any) -> Operation:
    """Return a stop that Tencent Cloud refused."""
    return operation(
        "DropLiveStream",
        State.FAILED,
        code=code,
        error_message=message,
        detail=message,
        request_id=REQUEST_ID,
        **fields,
    )


SEEN = {"off": "inactive", "live": "active", "unread": UNREADABLE, "banned": "forbid"}
"""The states that are read after a stop, by what they mean."""
