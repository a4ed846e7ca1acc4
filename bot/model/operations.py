"""The nouns: frozen, without I/O, standard library only. Everyone above speaks in these."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Params: TypeAlias = Mapping[str, Json]
"""Parameters by Tencent's names, e.g. `{"StreamName": "stream1"}`; `Region` is not among them."""

Site: TypeAlias = Literal["mainland", "intl"]

Turns: TypeAlias = Literal["", "off", "on"]

DEFAULT = "default"
"""What the cloud account is called where the policy file names none."""


class Effect(StrEnum):
    """What an action does to the world; also the verb that people type before it."""

    STOP = "stop"
    START = "start"
    CHANGE = "change"
    READ = "status"


class Approval(StrEnum):
    """What a command needs besides a rule that allows it, least first."""

    NONE = "none"
    CONFIRM = "confirm"
    SECOND_PERSON = "second-person"

    @property
    def rank(self) -> int:
        """Order by strictness: 0 is the least."""
        return list(Approval).index(self)


class State(StrEnum):
    """Where an operation is in its life; `lifecycle` says what may follow what."""

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


class Via(StrEnum):
    """The way in."""

    COMMAND = "command"
    MENTION = "mention"
    FORM = "form"
    BUTTON = "button"
    LIST = "list"
    """A button that stands elsewhere than what it is about: in a list, or on the home tab."""
    TERMINAL = "terminal"


# --- actions -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kind:
    """What a parameter may hold: how its text is read and which JSON type leaves.

    Attributes:
        says: Completes "… is not ", e.g. `a whole number, 0 or more`.
        json: Tencent's name of the type, as in their API specification.
        read: Turns text into the value, given the time in epoch seconds for what is
            relative to it; raises ValueError, whose text is a reason in plain words
            or empty.
        example: Made up, for help.
        within: The least and the most that Tencent Cloud takes: of a number itself, of a
            list its length.
        days: How many days ahead a time may lie.
        longest: Characters that its text may have at most.
        back: How many days ago it may lie.
    """

    says: str
    json: Literal["string", "int64", "uint64", "float", "bool", "array<string>"]
    read: Callable[[str, float], Json]
    example: str = ""
    within: tuple[float, float] | None = None
    days: int | None = None
    longest: int = 1024
    back: int = 0


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of an action.

    Attributes:
        api: Tencent's name, e.g. `StreamName`.
        word: What people type, e.g. `stream`.
        default: Filled in when the command and the policy leave it out; a text as it would be
            typed, e.g. `-25h`.
        required: Whether the API demands it.
        secret: The value may hold a stream key: it is sent, never shown nor recorded.
        only: The one site that knows this parameter.
        example: Made up, for help, where the kind's own does not do.
        alias: Tencent's name of the same thing elsewhere: what the policy says of that one
            holds for this one, too.
    """

    api: str
    word: str
    kind: Kind
    help: str
    default: Json = None
    required: bool = True
    secret: bool = False
    only: Site | None = None
    example: str = ""
    alias: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Tencent's names of it, its own first."""
        return (self.api, self.alias) if self.alias else (self.api,)

    def left_out(self, now: float) -> Json:
        """Give the value of the default; `now` is in epoch seconds."""
        return self.kind.read(self.default, now) if isinstance(self.default, str) else self.default


@dataclass(frozen=True, slots=True)
class Product:
    """One Tencent Cloud service.

    Attributes:
        name: Short name, also the host's first label and the credential scope's service.
        version: X-TC-Version.
        site: Whose host the product's own documentation prints.
        ours: It is this bot itself, which does what is asked; nothing is sent.
    """

    name: str
    version: str
    site: Site
    ours: bool = False

    def host(self, site: Site | None = None) -> str:
        """Give the host to call, at the product's own site unless another is named."""
        middle = ".intl" if (site or self.site) == "intl" else ""
        return f"{self.name}{middle}.tencentcloudapi.com"


@dataclass(frozen=True, slots=True)
class Account:
    """A cloud account, as far as commands go by it.

    Attributes:
        site: Whose hosts it calls; None: each product's, as the settings say.
        region: Filled in where neither the command nor a default names one.
        channels: Where it is meant unless the command names another.
        defaults: As those of the whole file, and before them.
    """

    site: Site | None = None
    region: str = ""
    channels: tuple[str, ...] = ()
    defaults: Mapping[str, Mapping[str, str | int | bool]] = field(
        default_factory=dict[str, Mapping[str, str | int | bool]]
    )


@dataclass(frozen=True, slots=True)
class Subject:
    """What actions are about: a sort of thing in the cloud, and the states it can be in.

    Attributes:
        states: The first is that of one that has just come into being.
        gone: Those of one that is no more; to most actions it is as if it had never been.
        on: The state in which people get it, where a read can tell.
        of: The sort of thing that it belongs to: whoever holds that one holds this, too.
        by: Parameters that a hold goes by; empty: all that name it.
    """

    name: str
    states: tuple[str, ...]
    gone: tuple[str, ...] = ()
    on: str = ""
    of: str = ""
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Touch:
    """Which thing of the cloud an action touches and what becomes of it.

    The emulated cloud plays an action from this alone. A field of the answer that lies inside
    another is written with a dot, e.g. `DomainInfo.Status`.

    Attributes:
        key: Names of the parameters that name the thing; they narrow down a read of many.
        becomes: Its state afterwards; None leaves it as it is, as a read does.
        absent: The error code where there is no such thing; None accepts it.
        refused: The error code by the state the thing is in before.
        shows: The field of the answer that carries the state, or a count that stands for it,
            and what stands there where there is no such thing.
        values: What the field holds in a state, where that is not the state's own name.
        makes: The field of the answer that names the thing which the action brings into
            being; it is in the key, and no parameter.
        counts, lists: For a read of many: by the field of the answer, the states of the
            things that it counts or lists.
        echoes: Fields of the answer, or of each listed thing, by the parameter whose value
            they repeat.
        since: The field of each listed thing with the time since when it is so, in UTC.
        ended: The field of each listed thing with the time at which it was stopped, epoch
            seconds; 0 if it was not.
        between: Parameters between which each listed thing begins and ends, and the fields
            of the same names in which it says so; all in epoch seconds.
    """

    thing: Subject
    key: tuple[str, ...]
    becomes: str | None = None
    absent: str | None = None
    refused: Mapping[str, str] = field(default_factory=dict[str, str])
    shows: tuple[str, str] | None = None
    values: Mapping[str, Json] = field(default_factory=dict[str, Json])
    makes: str = ""
    counts: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    echoes: Mapping[str, str] = field(default_factory=dict[str, str])
    since: str = ""
    ended: str = ""
    between: tuple[str, str] | None = None

    def shown(self, body: Params) -> str:
        """Give the state that an answer shows; empty if it shows none."""
        found: Json = dict(body)
        for name in (self.shows or ("", ""))[0].split("."):
            found = found.get(name) if isinstance(found, dict) else None
        if found in (None, ""):
            return ""
        named = (state for state, value in self.values.items() if value == found)
        return next(named, str(found))


@dataclass(frozen=True, slots=True)
class Running:
    """Which of the things that an answer lists are under way.

    Attributes:
        rows: The field of the answer that lists them.
        begins, ends: Fields of each, epoch seconds.
        ended: The field of each that is 0 unless it was stopped before its end.
        more: The field of the answer that is not empty where the list goes on elsewhere.
    """

    rows: str
    begins: str
    ends: str
    ended: str
    more: str


@dataclass(frozen=True, slots=True)
class Tells:
    """What the answer of a read tells on a card, before a press.

    Attributes:
        what: Completes "could not be read: …".
        words: A sentence; each `{}` stands for the next of the fields.
        fields: Of the answer: dots lead into objects, a number into a list and `*` through all
            of it; parts joined by a slash are one address, and `@` marks a time.
        given: Parameters that the read was narrowed down by.
        open: Parameters that it was not.
        running: Leaves of a list only what is under way.
        none: The sentence where nothing is left.
    """

    what: str
    words: str
    fields: tuple[str, ...]
    given: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    running: Running | None = None
    none: str = ""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a read has told: a sentence, and what each `{}` in it stands for.

    Attributes:
        values: Foreign text; a number is a time, epoch seconds.
    """

    words: str
    values: tuple[str | float, ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """One Tencent Cloud API that may be asked for; a declaration in the catalog.

    Attributes:
        api: Tencent's name of it.
        words: What people type after the verb of its effect, e.g. `live`.
        does: What it does, for help and card; true in the light of Tencent's documents.
        repeatable: Twice leaves the same as once, so a lost answer may be sent again.
        per_second: Documented requests per second and account; the lower one of both sites.
        params: In the order in which bare words fill the ones that are required and
            have no default.
        errors: The codes its API page lists.
        touch: What the emulated cloud does with it.
        regions: Regions by site where X-TC-Region is demanded; None where it is not.
        already: Codes that mean it was over before: the wish is fulfilled.
        least: What it demands of everyone, whatever the policy says.
        afterwards: What the asker must know once it is accepted; `{word}` stands for the
            value of a parameter.
        turns: Whether people no longer get the thing, or get it again.
        turns_by: Parameter that turns it off where it is true, and on where it is false.
        until: Parameter that says when it ends by itself, and the seconds after which it does
            where that is left out.
        lasting: Name of the API that does the same for longer, with the same parameters.
        undo: Name of the API that takes it back with the same parameters, and with what the
            answer names where `touch.makes` something.
        look: Name of the API that reads the state of the same thing.
        reach: Names of the APIs that tell what it hits, with the same parameters; what else
            they need has a default.
        tells: Of a read: what a card tells of its answer.
        words_for: Where a code means something else here: what it means, and the next step.
        deprecated: Tencent's own advice against it, and what to use instead.
        only: The one site that has it.
    """

    api: str
    words: str
    does: str
    product: Product
    effect: Effect
    repeatable: bool
    per_second: int
    params: tuple[Param, ...]
    errors: tuple[str, ...]
    touch: Touch
    regions: Mapping[Site, tuple[str, ...]] | None = None
    already: frozenset[str] = frozenset()
    least: Approval = Approval.NONE
    afterwards: str = ""
    turns: Turns = ""
    turns_by: str = ""
    until: tuple[str, float] | None = None
    lasting: str | None = None
    undo: str | None = None
    look: str | None = None
    reach: tuple[str, ...] = ()
    tells: tuple[Tells, ...] = ()
    words_for: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    deprecated: str = ""
    only: Site | None = None

    def param(self, name: str) -> Param | None:
        """Find a parameter by one of Tencent's names or the short word, in any case."""
        wanted = name.casefold()
        return next(
            (p for p in self.params if wanted in (p.word, *map(str.casefold, p.names))), None
        )


class Presence(StrEnum):
    """Whether the bot is in a channel; UNKNOWN where Slack did not say."""

    IN = "in"
    OUT = "out"
    UNKNOWN = "unknown"


# --- people and what they ask ---------------------------------------------------


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks or decides: a user of a workspace. Ids as Slack gives them."""

    team: str
    user: str


@dataclass(frozen=True, slots=True)
class Person:
    """What Slack says of a user; whatever it did not say counts against them."""

    user: str
    team: str
    bot: bool = False
    guest: bool = False
    deactivated: bool = False
    stranger: bool = False
    """Of another workspace."""
    timezone: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where it was asked and where the answer goes.

    Attributes:
        channel: Channel id; empty from a terminal without one.
        thread_ts: The thread it was asked in, or empty.
        reply_url: Slack's `response_url`: may be used 5 times within 30 minutes.
    """

    channel: str
    thread_ts: str = ""
    reply_url: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Invocation:
    """What was typed or pressed, as it came.

    Attributes:
        key: Makes the run unique: `trigger_id`, `event_id`, …
        verb: What the way in implies, e.g. START for `/startstream`; None where the
            text must say it itself.
    """

    key: str
    actor: Actor
    place: Place
    text: str = field(repr=False)
    via: Via = Via.COMMAND
    verb: Effect | None = Effect.STOP


@dataclass(frozen=True, slots=True)
class Command:
    """What the text meant.

    Attributes:
        region: X-TC-Region, empty where the action needs none.
        account: Name of the cloud account.
        case: The incident or ticket it belongs to, or empty.
        spans: Of the times that were said as a span from now, the seconds, by Tencent's names.
    """

    action: Action
    params: Params = field(repr=False)
    region: str = ""
    account: str = DEFAULT
    case: str = ""
    spans: Mapping[str, float] = field(default_factory=dict[str, float], compare=False)

    @property
    def target(self) -> str:
        """What it is about, as people search for it: the first parameter that must be said."""
        must = (p for p in self.action.params if p.required and p.default is None and not p.secret)
        found = str(self.params.get(next((p.api for p in must), ""), ""))
        # What is held goes by its sort first, which nobody searches for.
        return found.partition(" ")[2] if self.action.product.ours else found


@dataclass(frozen=True, slots=True)
class Verdict:
    """The policy lets it pass.

    Attributes:
        rule: Where in the policy file, e.g. `roles.oncall.allow[0]`.
        approvers: Roles whose members may approve.
        expires: Seconds until an unanswered approval lapses.
        needed: How many of them it takes.
        remind: Seconds after which an unanswered card reminds.
        then: Roles that may approve too, one more with each reminder.
        glass: The rule under which an emergency needs no second person; empty for none.
        runbook: Address of what to read about it, or empty.
        lacks: Why the asker may not do it themselves, where it is only a request.
    """

    rule: str
    approval: Approval
    approvers: tuple[str, ...] = ()
    expires: float = 900.0
    needed: int = 1
    remind: float | None = None
    then: tuple[str, ...] = ()
    glass: str = ""
    runbook: str = ""
    lacks: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """A request as it would leave, without key, signature and secret parameters."""

    method: str
    url: str
    headers: Mapping[str, str]
    payload: str


@dataclass(frozen=True, slots=True)
class Denied:
    """The policy does not let it pass.

    Attributes:
        check: Name of the check that said no.
        reason: One sentence for the asker, with who could do it.
        rule: The rule that forbids it, where one does.
        asks: Roles whose members may be asked to let it pass all the same.
    """

    check: str
    reason: str
    rule: str = ""
    asks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What would become of a command.

    Attributes:
        people: Ids of those who could approve it: users and user groups.
        draft: None where nothing would be sent, or for whoever may not see it.
        hidden: Whoever asked may not see what would be sent.
        case: The case it would belong to, or empty.
    """

    command: Command
    verdict: Verdict | Denied
    people: tuple[str, ...]
    draft: Draft | None
    hidden: bool = False
    case: str = ""


# --- what becomes of it -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """Tencent Cloud took the request.

    Attributes:
        body: The fields of `Response` besides RequestId.
        took: Seconds from the first byte out to the last byte in.
    """

    request_id: str
    body: Params
    took: float


@dataclass(frozen=True, slots=True)
class Approved:
    """Somebody said yes."""

    user: str
    at: float


@dataclass(frozen=True, slots=True)
class Consent:
    """What a waiting operation waits for.

    Attributes:
        needed: How many must approve.
        roles: Whose members may, by now.
        people: Ids of the users and user groups that those roles consist of.
        then: Roles that may later, one more with each reminder.
        remind: Seconds between reminders; None for none.
        reminded: How often it has reminded.
        given: Who has approved, the first first.
        glass: The rule under which the asker may go without a second person in an emergency.
        seen: State of the thing when it was asked, as its read showed it; empty if unknown.
        found: Its state at a press, where that differs.
        sights: What else was read of what it will touch.
        asks: Of one that was refused: roles whose members may be asked to let it pass.
        request: Id of the refused operation that this one asks for once more.
        lacks: Why the asker may not do it themselves; empty where they may.
        undoes: Id of the operation that this takes back or extends, if its button asked for it:
            only while nothing has come after.
        spans: See Command; they count from when it is sent.
        span: Seconds by which it is extended at a time; 0: by as long as it lasts.
        unknown: What a newer release has stored beside it: it is stored again as it is.
    """

    needed: int = 1
    roles: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    then: tuple[str, ...] = ()
    remind: float | None = None
    reminded: int = 0
    given: tuple[Approved, ...] = ()
    glass: str = ""
    seen: str = ""
    found: str = ""
    sights: tuple[Sight, ...] = ()
    asks: tuple[str, ...] = ()
    request: str = ""
    lacks: str = ""
    undoes: str = ""
    spans: Mapping[str, float] = field(default_factory=dict[str, float])
    span: float = 0.0
    unknown: Mapping[str, object] = field(
        default_factory=dict[str, object], repr=False, compare=False
    )


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
        operation: Id of the operation it is about: a reference, nothing more.
        actor: Who decides.
        place: Where they did, and where they are answered.
        reason: In their own words; may be empty.
        message_ts: The message whose button it was; empty where there was none.
        at: By the store's clock, once it is booked.
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


@dataclass(frozen=True, slots=True)
class Operation:
    """One run, from asking to its ending: a row in the store. Times are epoch seconds.

    Attributes:
        text: What was typed, with stream keys taken out.
        rule: The rule that let it pass or forbade it.
        detail: One sentence on how it came to where it is, for people.
        code: Tencent's error code.
        said: Tencent's error message: foreign text.
        attempts: How often the request has left.
        result: Fields of the answer, for reads.
        took: Seconds that Tencent Cloud took to answer.
        card_channel: Where the root message stands, once it does.
        consent: What it waits for, or waited for.
        reason: Why it was denied or an emergency, in the decider's words: foreign text.
        emergency: It went without the second person that the policy wants.
        joined: Id of the operation that waits for the same and does it in this one's place.
        target: What it is about, as people search for it.
        looked: The state that was seen a moment after a stop, or UNSEEN; empty before.
        case: The incident or ticket it belongs to, or empty.
        runbook: Address of what the policy says to read about it, or empty.
        seq: Grows with every change of the row; a card drawn from a lower one is stale.
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
    params: Params = field(default_factory=dict[str, Json], repr=False)
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
    said: str = ""
    result: Params = field(default_factory=dict[str, Json])
    took: float | None = None
    card_channel: str = ""
    card_ts: str = ""
    consent: Consent = field(default_factory=Consent)
    reason: str = ""
    emergency: bool = False
    joined: str = ""
    target: str = ""
    looked: str = ""
    case: str = ""
    runbook: str = ""
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Search:
    """What somebody wants to know of what was asked. Empty fields ask for nothing.

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


UNSEEN = "unseen"
"""Stands for a state that could not be read."""


@dataclass(frozen=True, slots=True)
class Switch:
    """What an ending changes about what is off.

    Attributes:
        thing: The sort of thing, and `key`, JSON, which one.
        off: Whether it is off now, or on again.
        weight: What has more of it is not replaced by what has less: it may be off, it is, it is
            and something brings it back.
        until: When it ends by itself, epoch seconds; None: it does not.
        announced: Whoever asked said until when.
        older: Only if it has been off for so many seconds.
        final: The thing is no more, so what turned it off before has nothing to bring back.
    """

    account: str
    thing: str
    key: str
    off: bool
    weight: int = 0
    until: float | None = None
    announced: bool = False
    older: float = 0.0
    final: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """What would be started, as holds name it.

    Attributes:
        targets: See `offair.held_as`.
        known: The accounts that the policy names: a hold on any other holds on all. None: only
            one on this very account counts.
    """

    account: str
    targets: tuple[str, ...]
    known: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Nobody may start a target.

    Attributes:
        target: As `offair.held_as` names it.
        operation: Id of the operation that began it.
        by: Who holds it.
        since: Epoch seconds.
    """

    account: str
    target: str
    operation: str
    by: str
    reason: str
    since: float


@dataclass(frozen=True, slots=True)
class Off:
    """Something that was stopped and not started again.

    Attributes:
        operation: What stopped it.
        until: When it ends by itself, epoch seconds; None: it does not.
        now: Its state as it was just read; empty if nobody looked.
    """

    operation: Operation
    until: float | None
    now: str = ""


class Owed(StrEnum):
    """A kind of message that Slack must still hear about an operation."""

    CARD = "card"
    """The root message: posted once, edited afterwards."""
    ENDING = "ending"
    """The line in its thread."""
    PRIVATE = "private"
    """For the asker alone."""
    AUDIT = "audit"
    """The line in the audit channel."""
    REMINDER = "reminder"
    """A word in the thread to those who may approve."""
    LOOKED = "looked"
    """What was seen in the cloud a moment after a stop, in the thread."""
    LIFT = "lift"
    """When something ends by itself, in the thread: once it is known, and again before."""
    LIFTED = "lifted"
    """That it has ended, in the thread, and what was seen then."""
    WORD = "word"
    """A sentence to somebody who pressed a button, alone."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One owed message on its way out.

    Attributes:
        key: Stands in the message's metadata, so that a lost answer can be looked up.
        about: The state that an audit line is about.
        attempts: How often it has been tried.
        uncertain: An earlier try may have reached Slack.
        seen: The state that was seen when it came to be owed, or names like the one that was
            meant, a line each; foreign text.
    """

    id: int
    operation: Operation
    owed: Owed
    key: str
    about: State
    attempts: int = 0
    uncertain: bool = False
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Word:
    """A sentence to one person, where they pressed a button.

    Attributes:
        text: Plain, with the ids of users and channels in it; it is escaped when shown.
        at: When they pressed, epoch seconds: how long `place.reply_url` holds.
        again: It may have reached them before.
    """

    actor: Actor
    place: Place
    text: str
    at: float
    again: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """Slack took the message."""

    channel: str = ""
    ts: str = ""


@dataclass(frozen=True, slots=True)
class Later:
    """Slack did not take it now.

    Attributes:
        seconds: Wait at least so long.
        uncertain: It may have been posted all the same.
    """

    seconds: float
    why: str
    uncertain: bool = False


@dataclass(frozen=True, slots=True)
class Undeliverable:
    """Slack will never take it: the channel is gone, or the bot was removed.

    Attributes:
        closed: It is the channel, which somebody may open again or invite the bot to.
    """

    why: str
    closed: bool = False


Delivered: TypeAlias = Sent | Later | Undeliverable
