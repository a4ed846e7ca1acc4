"""What can be asked for: actions, their parameters and the products they belong to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


Params: TypeAlias = Mapping[str, Json]
"""Parameters by Tencent's names, e.g. `{"StreamName": "stream1"}`; `Region` is not among them."""


Site: TypeAlias = Literal["mainland", "intl"]
Toggle: TypeAlias = Literal["", "off", "on"]


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


@dataclass(frozen=True, slots=True)
class ParamType:
    """What a parameter may hold: how its text is read and which JSON type leaves.

    Attributes:
        description: Completes "… is not ", e.g. `a whole number, 0 or more`.
        json: Tencent's name of the type, as in their API specification.
        read: Turns text into the value, given the time in epoch seconds for what is
            relative to it; raises ValueError, whose text is a reason in plain words
            or empty.
        example: Made up, for help.
        bounds: The least and the most that Tencent Cloud takes: of a number itself, of a
            list its length.
        max_days_ahead: How many days ahead a time may lie.
        max_length: Characters that its text may have at most.
        max_days_back: How many days ago it may lie.
    """

    description: str
    json: Literal["string", "int64", "uint64", "float", "bool", "array<string>"]
    read: Callable[[str, float], Json]
    example: str = ""
    bounds: tuple[float, float] | None = None
    max_days_ahead: int | None = None
    max_length: int = 1024
    max_days_back: int = 0


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
    type: ParamType
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

    def default_value(self, now: float) -> Json:
        """Give the value of the default; `now` is in epoch seconds."""
        return self.type.read(self.default, now) if isinstance(self.default, str) else self.default


@dataclass(frozen=True, slots=True)
class Product:
    """One Tencent Cloud service.

    Attributes:
        name: Short name, also the host's first label and the credential scope's service.
        version: X-TC-Version.
        site: Whose host the product's own documentation prints.
        local: It is this bot itself, which does what is asked; nothing is sent.
    """

    name: str
    version: str
    site: Site
    local: bool = False

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
class ResourceType:
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
class EffectSpec:
    """Which thing of the cloud an action touches and what becomes of it.

    The emulated cloud plays an action from this alone. A field of the answer that lies inside
    another is written with a dot, e.g. `DomainInfo.Status`.

    Attributes:
        key: Names of the parameters that name the thing; they narrow down a read of many.
        new_state: Its state afterwards; None leaves it as it is, as a read does.
        absent: The error code where there is no such thing; None accepts it.
        refused: The error code by the state the thing is in before.
        state_field: The field of the answer that carries the state, or a count that stands for it,
            and what stands there where there is no such thing.
        state_values: What the field holds in a state, where that is not the state's own name.
        creates: The field of the answer that names the thing which the action brings into
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

    resource_type: ResourceType
    key: tuple[str, ...]
    new_state: str | None = None
    absent: str | None = None
    refused: Mapping[str, str] = field(default_factory=dict[str, str])
    state_field: tuple[str, str] | None = None
    state_values: Mapping[str, Json] = field(default_factory=dict[str, Json])
    creates: str = ""
    counts: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    echoes: Mapping[str, str] = field(default_factory=dict[str, str])
    since: str = ""
    ended: str = ""
    between: tuple[str, str] | None = None

    def read_state(self, body: Params) -> str:
        """Give the state that an answer shows; empty if it shows none."""
        found: Json = dict(body)
        for name in (self.state_field or ("", ""))[0].split("."):
            found = found.get(name) if isinstance(found, dict) else None
        if found in (None, ""):
            return ""
        named = (state for state, value in self.state_values.items() if value == found)
        return next(named, str(found))


@dataclass(frozen=True, slots=True)
class ActiveRows:
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
class ReadingTemplate:
    """What the answer of a read tells on a card, before a press.

    Attributes:
        subject: Completes "could not be read: …".
        words: A sentence; each `{}` stands for the next of the fields.
        fields: Of the answer: dots lead into objects, a number into a list and `*` through all
            of it; parts joined by a slash are one address, and `@` marks a time.
        given: Parameters that the read was narrowed down by.
        not_given: Parameters that it was not.
        active: Leaves of a list only what is under way.
        empty: The sentence where nothing is left.
    """

    subject: str
    words: str
    fields: tuple[str, ...]
    given: tuple[str, ...] = ()
    not_given: tuple[str, ...] = ()
    active: ActiveRows | None = None
    empty: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
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
        synonyms: Other words for it, which lead to a suggestion.
        summary: What it does in a few words, after its command in a suggestion.
        does: What it does, for help and card; true in the light of Tencent's documents.
        repeatable: Twice leaves the same as once, so a lost answer may be sent again.
        per_second: Documented requests per second and account; the lower one of both sites.
        params: In the order in which bare words fill the ones that are required and
            have no default.
        errors: The codes its API page lists.
        effect_spec: What the emulated cloud does with it.
        regions: Regions by site where X-TC-Region is demanded; None where it is not.
        already_codes: Codes that mean it was over before: the wish is fulfilled.
        minimum_approval: What it demands of everyone, whatever the policy says.
        afterwards: What the asker must know once it is accepted; `{word}` stands for the
            value of a parameter.
        toggles: Whether people no longer get the thing, or get it again.
        toggle_param: Parameter that turns it off where it is true, and on where it is false.
        expiry: Parameter that says when it ends by itself, and the seconds after which it does
            where that is left out.
        longer_variant: Name of the API that does the same for longer, with the same parameters.
        undo: Name of the API that takes it back with the same parameters, and with what the
            answer names where `touch.makes` something.
        status_read: Name of the API that reads the state of the same thing.
        impact_reads: Names of the APIs that tell what it hits, with the same parameters; what else
            they need has a default.
        readings: Of a read: what a card tells of its answer.
        error_notes: Where a code means something else here: what it means, and the next step.
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
    effect_spec: EffectSpec
    regions: Mapping[Site, tuple[str, ...]] | None = None
    already_codes: frozenset[str] = frozenset()
    minimum_approval: Approval = Approval.NONE
    afterwards: str = ""
    toggles: Toggle = ""
    toggle_param: str = ""
    expiry: tuple[str, float] | None = None
    longer_variant: str | None = None
    undo: str | None = None
    status_read: str | None = None
    impact_reads: tuple[str, ...] = ()
    readings: tuple[ReadingTemplate, ...] = ()
    error_notes: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    deprecated: str = ""
    only: Site | None = None
    synonyms: tuple[str, ...] = ()
    summary: str = ""

    def param(self, name: str) -> Param | None:
        """Find a parameter by one of Tencent's names or the short word, in any case."""
        wanted = name.casefold()
        return next(
            (p for p in self.params if wanted in (p.word, *map(str.casefold, p.names))), None
        )
