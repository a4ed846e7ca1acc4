"""Actions, their parameters, and the products that they belong to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


Params: TypeAlias = Mapping[str, Json]
"""Parameters by Tencent's names, e.g. `{"StreamName": "stream1"}`; `Region` is not among them."""


ResourceKey: TypeAlias = Mapping[str, str | int]
"""What identifies a resource: parameters by Tencent's names."""


Site: TypeAlias = Literal["mainland", "intl"]
Toggle: TypeAlias = Literal["", "off", "on"]


DEFAULT = "default"
"""Name of the cloud account if the policy file names none."""


class Effect(StrEnum):
    """What an action does to a resource; also the verb that users type before it."""

    STOP = "stop"
    START = "start"
    CHANGE = "change"
    READ = "status"


class Approval(StrEnum):
    """What a command needs in addition to a rule that allows it, least first."""

    NONE = "none"
    CONFIRM = "confirm"
    SECOND_PERSON = "second-person"

    @property
    def rank(self) -> int:
        """Order by strictness: 0 is the least."""
        return list(Approval).index(self)


@dataclass(frozen=True, slots=True)
class ParamType:
    """The type of a parameter: how its text is read, and its JSON type.

    Attributes:
        description: Completes "… is not ", e.g. `a whole number, 0 or more`.
        json: Tencent's name of the type, as in their API specification.
        read: Returns the value of a text; takes the time in epoch seconds, for relative
            times. Raises ValueError with a reason in plain words, or an empty one.
        example: Made up, for help.
        bounds: The least and the most that Tencent Cloud accepts: of a number, or of a
            list's length.
        max_days_ahead: Days that a time may be in the future.
        max_length: Characters of its text.
        max_days_back: Days that a time may be in the past.
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
        word: What users type, e.g. `stream`.
        default: The value if neither command nor policy has one; a text as it would be typed,
            e.g. `-25h`.
        required: Whether the API demands it.
        secret: The value may hold a stream key: it is sent, but never shown or recorded.
        only: The only site that has this parameter.
        example: Made up, for help, if that of the type does not fit.
        alias: Tencent's name of the same parameter in other APIs: the policy's defaults and
            limits for that name apply to this one, too.
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
        """Tencent's names of the parameter, its own first."""
        return (self.api, self.alias) if self.alias else (self.api,)

    def default_value(self, now: float) -> Json:
        """Return the value of the default; `now` is in epoch seconds."""
        return self.type.read(self.default, now) if isinstance(self.default, str) else self.default


@dataclass(frozen=True, slots=True)
class Product:
    """One Tencent Cloud service.

    Attributes:
        name: Short name, also the host's first label and the credential scope's service.
        version: X-TC-Version.
        site: The site whose host the product's documentation uses.
        local: The bot performs the actions itself; nothing is sent.
    """

    name: str
    version: str
    site: Site
    local: bool = False

    def host(self, site: Site | None = None) -> str:
        """Return the host to call, by default at the product's own site."""
        middle = ".intl" if (site or self.site) == "intl" else ""
        return f"{self.name}{middle}.tencentcloudapi.com"


@dataclass(frozen=True, slots=True)
class Account:
    """A cloud account, as far as commands depend on it.

    Attributes:
        site: The site whose hosts are called; None for each product's, as configured.
        region: The region if neither the command nor a default names one.
        channels: Where it is the default account.
        defaults: Take precedence over those of the whole file.
    """

    site: Site | None = None
    region: str = ""
    channels: tuple[str, ...] = ()
    defaults: Mapping[str, Mapping[str, str | int | bool]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A type of resource in the cloud, and the states that it can be in.

    Attributes:
        states: The first is the initial one.
        gone: Those of a resource that no longer exists; most actions treat it as absent.
        on: The state in which it is on air, if a read can tell.
        of: The resource type that it belongs to: a hold on that one applies to this one, too.
        by: Parameters that identify it for a hold; empty for its whole key.
    """

    name: str
    states: tuple[str, ...]
    gone: tuple[str, ...] = ()
    on: str = ""
    of: str = ""
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EffectSpec:
    """The resource that an action affects, and the state that it leaves.

    A nested field of the response is written with a dot, e.g. `DomainInfo.Status`.

    Attributes:
        key: Parameters that identify the resource; they filter a read of many.
        new_state: Its state afterwards; None if it does not change, as for a read.
        absent: The error code if there is no such resource; None if that is no error.
        state_field: The field of the response with the state, or with a count that implies it, and
            its value if there is no such resource.
        state_values: The field's value by state, where it is not the state's name.
        creates: The field of the response that identifies the created resource; it is in the
            key, and no parameter.
        counts, lists: For a read of many: the states of the resources that a field of the
            response counts or lists.
        echoes: Parameters by the field of the response, or of each listed resource, that
            repeats their value.
        since: The field of each listed resource with the time since when it is so, in UTC.
        ended: The field of each listed resource with the time at which it was stopped, epoch
            seconds; 0 if it was not.
        between: Parameters between which each listed resource begins and ends, and its fields
            of the same names; all in epoch seconds.
    """

    resource_type: ResourceType
    key: tuple[str, ...]
    new_state: str | None = None
    absent: str | None = None
    state_field: tuple[str, str] | None = None
    state_values: Mapping[str, Json] = field(default_factory=dict)
    creates: str = ""
    counts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    echoes: Mapping[str, str] = field(default_factory=dict)
    since: str = ""
    ended: str = ""
    between: tuple[str, str] | None = None

    def read_state(self, body: Params) -> str:
        """Return the state in a response; empty if it has none."""
        found: Json = dict(body)
        for name in (self.state_field or ("", ""))[0].split("."):
            found = found.get(name) if isinstance(found, dict) else None
        if found in (None, ""):
            return ""
        named = (state for state, value in self.state_values.items() if value == found)
        return next(named, str(found))


@dataclass(frozen=True, slots=True)
class Emulation:
    """What the emulated cloud needs to know of an action, and production does not.

    Attributes:
        refused: Error codes by the state in which the resource refuses the action.
        state_param: For a read of many: the parameter that asks for one state, by its value in
            `EffectSpec.state_values`.
        state_row: The field of each listed resource with its state, by the same values.
        prefix_param: The parameter with which the first part of the key must begin.
    """

    refused: Mapping[str, str] = field(default_factory=dict)
    state_param: str = ""
    state_row: str = ""
    prefix_param: str = ""


@dataclass(frozen=True, slots=True)
class ActiveRows:
    """How to tell which resources in a response's list are active now.

    Attributes:
        rows: The field of the response that lists them.
        begins, ends: Fields of each, epoch seconds.
        ended: The field of each that is 0 unless it was stopped before its end.
        more: The field of the response that is not empty if the list continues on another page.
    """

    rows: str
    begins: str
    ends: str
    ended: str
    more: str


@dataclass(frozen=True, slots=True)
class ReadingTemplate:
    """A sentence on a card about the response of a read, before a confirmation.

    Attributes:
        subject: Completes "could not be read: …".
        words: A sentence; each `{}` is replaced by the next of the fields.
        fields: Paths in the response: a dot enters an object, a number selects from a list and
            `*` all of it; parts joined by a slash form one URL, and `@` marks a time.
        given: Parameters that must be given for the sentence.
        not_given: Parameters that must not be given.
        active: Filters a list by what is active now.
        empty: The sentence if nothing is left.
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
    """A sentence about the response of a read.

    Attributes:
        values: Replace each `{}`. Untrusted text; a number is a time, epoch seconds.
    """

    words: str
    values: tuple[str | float, ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """A Tencent Cloud API that users may call; a declaration in the catalog.

    Attributes:
        api: Tencent's name of it.
        words: What users type after the verb of its effect, e.g. `live`.
        title: What it does, in plain words; `{…}` is what it is done to, and is replaced by its
            name on a card.
        impact: What else a stop touches, as a short sentence for those who decide; or empty.
        synonyms: Other words for it, which lead to a suggestion.
        summary: What it does in a few words, after its command in a suggestion.
        does: What it does, for help and card, according to Tencent's documentation.
        repeatable: Idempotent: it may be sent again if the response is lost.
        per_second: Documented requests per second and account; the lower of both sites.
        params: In the order in which bare words fill those that are required and have no
            default.
        errors: The codes its API page lists.
        effect_spec: The resource that it affects, and how.
        regions: Regions by site if X-TC-Region is required; None if it is not.
        already_codes: Codes that mean the resource already was in the desired state.
        minimum_approval: The approval that everyone needs, whatever the policy says.
        afterwards: What the user must know once it is accepted; `{word}` is replaced by the
            value of a parameter.
        toggles: Whether it takes a resource off air, or back on.
        toggle_param: Parameter that takes it off air if true, and back on if false.
        expiry: Parameter with the time at which the effect ends, and the seconds after which it
            ends without that parameter.
        longer_variant: Name of the API that does the same for longer, with the same parameters.
        stop: Name of the API that stops what it is about, with the same parameters.
        allowed_by: Name of the API that a policy allows it by; empty for its own.
        undo: Name of the API that undoes it with the same parameters, and with the field of
            the response that `effect_spec.creates` names.
        status_read: Name of the API that reads the state of the same resource.
        impact_reads: Names of the APIs that read what it affects, with the same parameters; what
            else they require has a default.
        readings: For a read: the sentences on a card about its response.
        error_notes: Meaning and next step of codes that mean something else here.
        deprecated: Tencent's advice against it, and what to use instead.
        only: The only site that has it.
        emulation: What only the emulated cloud needs.
        params_by_name: The parameters by Tencent's names and their short words, in lower case.
        secret_params: Tencent's names of the parameters that nobody may see.
        main_param: Tencent's name of the first parameter that must be given, by which people
            search; empty where there is none.
    """

    api: str
    words: str
    title: str
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
    stop: str | None = None
    allowed_by: str = ""
    undo: str | None = None
    status_read: str | None = None
    impact_reads: tuple[str, ...] = ()
    readings: tuple[ReadingTemplate, ...] = ()
    error_notes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    deprecated: str = ""
    only: Site | None = None
    synonyms: tuple[str, ...] = ()
    summary: str = ""
    impact: str = ""
    emulation: Emulation = field(default_factory=Emulation)
    params_by_name: Mapping[str, Param] = field(init=False, repr=False, compare=False)
    secret_params: frozenset[str] = field(init=False, repr=False, compare=False)
    main_param: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the parameters, because each word of a command is looked up several times."""
        named: dict[str, Param] = {}
        for param in self.params:
            for name in (param.word, *map(str.casefold, param.names)):
                named.setdefault(name, param)
        object.__setattr__(self, "params_by_name", named)
        secret = frozenset(param.api for param in self.params if param.secret)
        object.__setattr__(self, "secret_params", secret)
        must = (p.api for p in self.params if p.required and p.default is None and not p.secret)
        object.__setattr__(self, "main_param", next(must, ""))

    @property
    def plain_name(self) -> str:
        """What it does, in plain words, e.g. `Stop a live stream`."""
        return self.title.replace("{", "").replace("}", "")

    @property
    def takes_reason(self) -> bool:
        """Whether one of the policy's reasons can be given: not for reads, nor for holds."""
        return self.effect is not Effect.READ and not self.product.local

    @property
    def permission(self) -> str:
        """The name that rules and limits of the policy must match."""
        return self.allowed_by or self.api

    def param(self, name: str) -> Param | None:
        """Return a parameter by one of Tencent's names or its short word, in any case."""
        return self.params_by_name.get(name.casefold())
