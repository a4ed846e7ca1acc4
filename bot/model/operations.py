"""An operation: its state, the approvals it has, the decisions on it, and its answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bot.model.actions import DEFAULT, Approval, Params, Reading, ResourceKey
from bot.model.commands import Via
from bot.model.people import Actor, Place


class State(StrEnum):
    """The state of an operation; `lifecycle` has the transitions."""

    ASKED = "asked"
    WAITING = "waiting"
    DUE = "due"
    RUNNING = "running"
    ACCEPTED = "accepted"
    ALREADY = "already"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DENIED = "denied"
    INVALID = "invalid"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class LiveBefore(StrEnum):
    """What was read beside a stop: whether there was anything to stop."""

    LIVE = "live"
    NOT_LIVE = "not live"
    UNREADABLE = "unreadable"


class LaterKind(StrEnum):
    """What became of a stop after its ending."""

    CHECKED = "checked"
    """Its state was read a moment later, and it was not on again."""
    ON_AGAIN = "on again"
    EXTENDED = "extended"
    STOPPED_AGAIN = "stopped again"
    UNDONE = "undone"
    ENDED = "ended"
    """Its time was over, and it is not off any more."""
    STILL_OFF = "still off"
    """Its time was over, and it is off all the same, or its state could not be read."""


@dataclass(frozen=True, slots=True)
class LaterEvent:
    """The last thing that is known to have happened to what a stop took off the air.

    Attributes:
        at: When it happened or was seen, epoch seconds.
        state: The state that was read then: foreign text; empty where none was read.
        by: The user who asked for it; empty where nobody did.
        until: When what replaces the stop ends by itself, epoch seconds; None: it does not.
    """

    kind: LaterKind
    at: float
    state: str = ""
    by: str = ""
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An accepted request.

    Attributes:
        body: The fields of `Response` besides RequestId.
        duration: Seconds from the first byte out to the last byte in.
    """

    request_id: str
    body: Params
    duration: float


@dataclass(frozen=True, slots=True)
class GivenApproval:
    """An approval by one person."""

    user: str
    at: float


@dataclass(frozen=True, slots=True)
class Approvals:
    """The approvals that an operation needs, and those it has.

    Attributes:
        needed: How many people must approve.
        roles: Roles whose members may approve by now.
        people: Ids of the users and user groups in those roles.
        escalates_to: Roles that are added later, one with each reminder.
        remind: Seconds between reminders; None for none.
        reminded: Number of reminders sent.
        given: The approvals so far, oldest first.
        break_glass_rule: The rule under which an emergency needs no second person.
        request_from: For a denied operation, roles whose members may be asked to allow it.
        lacking: Why the actor may not do it without approval; empty where they may.
        withheld: The actor may not read what was asked: Slack does not say that they are a full
            member, and the policy has filled it in.
    """

    needed: int = 1
    roles: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    escalates_to: tuple[str, ...] = ()
    remind: float | None = None
    reminded: int = 0
    given: tuple[GivenApproval, ...] = ()
    break_glass_rule: str = ""
    request_from: tuple[str, ...] = ()
    lacking: str = ""
    withheld: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was asked for right before an operation was sent, to show what it was about.

    Attributes:
        kind: `snapshot` or `recording`.
        task: The task's id as Tencent Cloud gave it; empty where there is none.
        problem: Why there is none, as a sentence without its end; foreign text in part.
    """

    kind: str
    task: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class LastPush:
    """What a callback said last of the push of a stream: a hint.

    Attributes:
        began: Whether it began; else it ended.
        at: When, epoch seconds, as the notice says.
    """

    began: bool
    at: float


@dataclass(frozen=True, slots=True)
class Preview:
    """What was read before an operation was decided, and taken before it was sent.

    Attributes:
        state: Its state when the operation was asked for; empty if unknown.
        state_at_press: Its state when a button was pressed, if that differs.
        readings: What else was read about the impact.
        live_instead: Where nothing is live under the name that was given, the key of what is
            live under a similar one.
        domains: Where it was denied for a domain that is not the account's, those that are offered.
        evidence: None where the policy wants none.
        last_push: Of the stream whose state is read; None where no callback has told of it.
    """

    state: str = ""
    state_at_press: str = ""
    readings: tuple[Reading, ...] = ()
    live_instead: tuple[ResourceKey, ...] = ()
    domains: tuple[str, ...] = ()
    evidence: Evidence | None = None
    last_push: LastPush | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """What an operation comes from: an earlier one, the time spans and the reason that were given.

    Attributes:
        request_of: Id of the denied operation that is requested again.
        undoes: Id of the operation that this undoes or extends from its button; refused
            once a later operation has superseded that one.
        spans: See Command; they count from when the request is sent.
        extension: Seconds of one extension; 0: as long as the operation lasts.
        usual: Names of the parameters whose values are the defaults of the policy or the catalog.
        alert: Id of the alert on whose card it was asked for.
        reason_code: The policy's reason that was given, or empty.
        reason_text: Its text as the policy had it when it was asked.
    """

    request_of: str = ""
    undoes: str = ""
    spans: Mapping[str, float] = field(default_factory=dict)
    extension: float = 0.0
    usual: tuple[str, ...] = ()
    alert: str = ""
    reason_code: str = ""
    reason_text: str = ""


class Choice(StrEnum):
    """What somebody decides about a waiting operation; also a button's name."""

    CONFIRM = "confirm"
    APPROVE = "approve"
    DENY = "deny"
    CANCEL = "cancel"
    EMERGENCY = "emergency"


@dataclass(frozen=True, slots=True)
class Decision:
    """A press of a button, or the same from a terminal.

    Attributes:
        key: Makes it unique: `trigger_id`.
        operation: Id of the operation that it decides on.
        actor: Who decides.
        place: Where the button was pressed and the answer goes.
        reason: In their own words; may be empty.
        message_ts: The message whose button it was; empty where there was none.
        at: By the store's clock, once it is stored.
    """

    key: str
    operation: str
    choice: Choice
    actor: Actor
    place: Place
    reason: str = ""
    message_ts: str = ""
    id: int = 0
    at: float = 0.0


NO_APPROVALS, NO_PREVIEW, NO_ORIGIN = Approvals(), Preview(), Origin()
"""What an operation has of each where it has none."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One run of a command: a row in the store. Times are epoch seconds.

    Attributes:
        text: What was typed, with stream keys taken out.
        rule: The rule that let it pass or forbade it.
        detail: One sentence on how it came to where it is, for people.
        code: Tencent's error code.
        error_message: Tencent's error message: foreign text.
        attempts: How often the request has left.
        result: Fields of the answer, for reads.
        duration: Seconds that Tencent Cloud took to answer.
        card_channel: The channel of the root message, once it is posted.
        approvals: The approvals that it needs, and those it has.
        preview: What was read of the resource before it was decided.
        origin: The operation that it follows from.
        reason: Why it was denied or an emergency, in the decider's words: foreign text.
        emergency: It went without the second person that the policy wants.
        duplicate_of: Id of the operation that waits for the same, or has done it, in this one's
            place.
        target: What it is about, as people search for it.
        verified_state: The state that was read shortly after a stop, or UNSEEN; empty before.
        live_before: What was read beside a stop; None for what is no stop, and before it is known.
        live_now: Where nothing was live, the keys of what is: parameters by Tencent's names.
        case: The incident or ticket it belongs to, or empty.
        runbook: Address of what the policy says to read about it, or empty.
        later: What became of its effect after its ending; None while nothing is known.
        seq: Grows with every change of the row; a card rendered from a lower one is stale.
        unsigned: Its row has no code that matches (see `bot/storage/row_macs.py`): it is shown,
            and nothing comes of it any more.
    """

    id: str
    key: str
    state: State
    actor: Actor
    place: Place
    via: Via
    text: str
    asked_at: float
    api: str = ""
    params: Params = field(default_factory=dict, repr=False)
    region: str = ""
    account: str = DEFAULT
    rule: str = ""
    approval: Approval = Approval.NONE
    detail: str = ""
    expires_at: float | None = None
    decided_by: str = ""
    decided_at: float | None = None
    sent_at: float | None = None
    ended_at: float | None = None
    attempts: int = 0
    request_id: str = ""
    code: str = ""
    error_message: str = ""
    result: Params = field(default_factory=dict)
    duration: float | None = None
    card_channel: str = ""
    card_ts: str = ""
    approvals: Approvals = NO_APPROVALS
    preview: Preview = NO_PREVIEW
    origin: Origin = NO_ORIGIN
    reason: str = ""
    emergency: bool = False
    duplicate_of: str = ""
    target: str = ""
    verified_state: str = ""
    live_before: LiveBefore | None = None
    live_now: tuple[Params, ...] = ()
    case: str = ""
    runbook: str = ""
    later: LaterEvent | None = None
    seq: int = 0
    unsigned: bool = False

    @property
    def live_instead(self) -> tuple[Params, ...]:
        """The keys of what is live where nothing is under the name that was given."""
        return self.preview.live_instead if self.state is State.WAITING else self.live_now

    @property
    def superseded(self) -> bool:
        """Whether it waited until another operation did the same, by `duplicate_of`."""
        return self.state is State.CANCELLED and bool(self.duplicate_of and self.decided_by)

    @property
    def denied_by_person(self) -> bool:
        """Whether somebody decided against it, rather than the policy."""
        return self.state is State.DENIED and bool(self.decided_by) and not self.detail


def requested(operation: Operation) -> tuple[object, ...]:
    """Return what an operation asks of Tencent Cloud: equal where two ask for the very same.

    A time that was said as a span from now is that span: it counts from the sending.
    """
    spans = operation.origin.spans
    params = {name: value for name, value in operation.params.items() if name not in spans}
    return operation.api, operation.account, operation.region, params, dict(spans)


@dataclass(frozen=True, slots=True)
class Search:
    """The filters of a search for operations. Empty fields match all.

    Attributes:
        since: Epoch seconds.
        user: Of who asked.
        apis: Any of these.
        target: As it is, or its beginning and a `*`.
        state: Where it is now.
        before: Time and id of the last one that was shown: only older ones.
        reader: Only what this user asked, or what everyone in `channel` saw; empty for all.
    """

    since: float = 0.0
    user: str = ""
    apis: tuple[str, ...] = ()
    target: str = ""
    state: State | None = None
    before: tuple[float, str] | None = None
    reader: str = ""
    channel: str = ""
    case: str = ""
    account: str = ""


UNREADABLE = "unseen"
"""The value of a state that could not be read."""
