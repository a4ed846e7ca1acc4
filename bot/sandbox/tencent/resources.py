"""The resources of the emulated cloud: streams with encoders and bans, tasks, sessions."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bot.catalog.live import DOMAIN, RECORD_TASK, SCREENSHOT_TASK, STREAM
from bot.catalog.registry import RESOURCE_TYPES
from bot.model.actions import Action, Effect, EffectSpec, Json, Params, ResourceType
from bot.sandbox.tencent.errors import CodeError
from bot.times import format_utc, parse_instant

BAN = 7 * 86_400.0
"""Seconds that a ban lasts unless it says otherwise."""

RECORD = 86_400.0
"""Seconds that a task of CreateRecordTask lasts at most."""

SPAN = 7 * 86_400.0
"""Seconds of time that may be asked about at once."""


@dataclass(slots=True)
class Resource:
    """One resource and its state.

    Attributes:
        returns_after: Seconds after which a cut encoder pushes again; None for never.
        returns_at: When it does, epoch seconds.
        runs: How often an action has run on it, by API.
        params: The parameters of the actions that ran on it; a later value replaces an earlier one.
        since: Start of its first state, epoch seconds; 0 if unknown.
        ended: When a stop ended it, epoch seconds; 0 if none did.
    """

    state: str
    runs: dict[str, int]
    returns_after: float | None = None
    returns_at: float | None = None
    params: Params = field(default_factory=dict)
    since: float = 0.0
    ended: float = 0.0


class Resources:
    """Everything that exists in one account."""

    def __init__(self) -> None:
        self._resources: dict[tuple[str, tuple[str, ...]], Resource] = {}
        # By the stream's name.
        self._bans: dict[str, float] = {}

    def put(
        self,
        kind: str,
        *key: Json,
        state: str = "",
        returns_after: float | None = None,
        since: float = 0.0,
        params: Params | None = None,
    ) -> Resource:
        """Add a resource; its default state is the first of its type."""
        state = state or RESOURCE_TYPES[kind].states[0]
        resource = Resource(state, {}, returns_after, params=params or {}, since=since)
        self._resources[kind, tuple(map(str, key))] = resource
        return resource

    def get(self, kind: str, *key: Json) -> Resource | None:
        """Return a resource."""
        return self._resources.get((kind, tuple(map(str, key))))

    def remove(self, kind: str, *key: Json) -> None:
        """Remove a resource, if it is there."""
        self._resources.pop((kind, tuple(map(str, key))), None)

    def run(self, action: Action, params: Params, now: float) -> dict[str, Json]:
        """Run an action by its declaration, and return the fields of the answer.

        Raises:
            CodeError: The declaration refuses it.
        """
        spec = action.effect_spec
        if spec.counts or spec.lists:
            return _nested(self._many(action, params, now))
        made: dict[str, Json] = {spec.creates: uuid.uuid4().hex} if spec.creates else {}
        key = tuple(str({**params, **made}.get(name, "")) for name in spec.key)
        if made:
            params = _timed(spec, params, now)
        else:
            _refuse(action, self._state(spec.resource_type.name, key, now))
        if spec.new_state is not None:
            self._apply(action, key, params, now)
        shown = _shown(spec, self._state(spec.resource_type.name, key, now))
        return _nested(made | shown | {name: params.get(of) for name, of in spec.echoes.items()})

    def _many(self, action: Action, params: Params, now: float) -> dict[str, Json]:
        """Count and list the resources that match the parameters, one page of them."""
        spec = action.effect_spec
        _spanned(spec, params)
        names = (*spec.key, *spec.echoes.values())
        wanted = {name: _wanted(action, name, params) for name in names}
        found = [
            (key, resource, self._state(spec.resource_type.name, key, now) or "")
            for key, resource in self._of(spec.resource_type)
            if _agrees(action, params, wanted, key, resource)
        ]
        found = [one for one in found if _has_state(action, params, one[2])]
        answer: dict[str, Json] = {
            name: sum(state in states for *_, state in found)
            for name, states in spec.counts.items()
        }
        first, size = 0, len(found)
        if action.param("PageSize") is not None:
            page, size = _whole(params, "PageNum", 1), _whole(params, "PageSize", 10)
            first = (page - 1) * size
            total = next(iter(answer.values()), 0)
            pages = -(-int(str(total)) // size)
            answer |= {"PageNum": page, "PageSize": size, "TotalPage": pages}
        for name, states in spec.lists.items():
            rows = [
                _row(action, key, resource, state)
                for key, resource, state in found
                if state in states
            ]
            answer[name] = list[Json](rows[first : first + size])
        return answer

    def _apply(self, action: Action, key: tuple[str, ...], params: Params, now: float) -> None:
        spec = action.effect_spec
        becomes = str(spec.new_state)
        if spec.resource_type == STREAM:
            self._ban(action, params, key[0], now)
        resource = self.get(spec.resource_type.name, *key)
        if resource is None:
            if spec.resource_type == STREAM:
                # It was never pushed.
                return
            resource = self._resources[spec.resource_type.name, key] = Resource(
                spec.resource_type.states[0], {}
            )
        resource.runs[action.api] = resource.runs.get(action.api, 0) + 1
        resource.params = {**resource.params, **params}
        resource.ended = now if action.effect is Effect.STOP else 0.0
        if spec.resource_type != STREAM:
            resource.state = becomes
        elif action.effect is Effect.STOP:
            _cut(resource, now)
        if spec.resource_type == DOMAIN and becomes == "disabled":
            for (_, domain, _), stream in self._of(STREAM):
                if domain == key[0]:
                    _cut(stream, now)

    def _ban(self, action: Action, params: Params, name: str, now: float) -> None:
        """Set or lift a ban, which depends on the stream's name alone."""
        if action.effect_spec.new_state == "forbid":
            given = params.get("ResumeTime")
            self._bans[name] = now + BAN if given is None else parse_time(given)
        elif action.effect is Effect.START:
            self._bans.pop(name, None)

    def _of(self, subject: ResourceType) -> Iterator[tuple[tuple[str, ...], Resource]]:
        resources = list(self._resources.items())
        yield from ((key, resource) for (kind, key), resource in resources if kind == subject.name)

    def _state(self, kind: str, key: tuple[str, ...], now: float) -> str | None:
        resource = self.get(kind, *key)
        if kind == STREAM.name:
            if self._bans.get(key[0], 0.0) > now:
                return "forbid"
            domain = self.get(DOMAIN.name, key[1])
            if resource is None or (domain is not None and domain.state == "disabled"):
                return "inactive"
            if resource.returns_at is not None and resource.returns_at <= now:
                resource.state, resource.since, resource.returns_at = (
                    "active",
                    resource.returns_at,
                    None,
                )
        return resource.state if resource else None

    def all(self) -> Mapping[tuple[str, tuple[str, ...]], Resource]:
        """Return every resource by its type and key."""
        return self._resources

    def banned_until(self, stream: str) -> float:
        """Return when a stream's ban ends, in epoch seconds; 0 if there is none."""
        return self._bans.get(stream, 0.0)

    def states(self, now: float) -> Mapping[tuple[str, tuple[str, ...]], str]:
        """Return the current state of every resource."""
        return {(kind, key): self._state(kind, key, now) or "" for kind, key in self._resources}


def parse_time(given: Json) -> float:
    """Return a time, which is epoch seconds or UTC text, in epoch seconds.

    Raises:
        CodeError: It is not a time.
    """
    at = parse_instant(given)
    if at is None:
        raise CodeError("InvalidParameter", "A time is not in UTC format.")
    return at


def _cut(stream: Resource, now: float) -> None:
    if stream.state == "active" and stream.returns_after is not None:
        stream.returns_at = now + stream.returns_after
    stream.state = "inactive"


def _refuse(action: Action, state: str | None) -> None:
    spec, refused = action.effect_spec, action.emulation.refused
    if state is not None and state in refused:
        raise CodeError(refused[state], "The object is not in a state for this.")
    if spec.absent is not None and (state is None or state in spec.resource_type.gone):
        raise CodeError(spec.absent, "The specified object does not exist.")


def _timed(spec: EffectSpec, params: Params, now: float) -> Params:
    """Check the times of a task, and return the parameters with its start."""
    if spec.resource_type not in (RECORD_TASK, SCREENSHOT_TASK):
        return params
    begins = params.get("StartTime", int(now))
    if not parse_time(begins) < parse_time(params["EndTime"]) <= parse_time(begins) + RECORD:
        raise CodeError("InvalidParameter", "EndTime is out of range.")
    return {**params, "StartTime": begins}


def _spanned(spec: EffectSpec, params: Params) -> None:
    """Check the span of time of a read."""
    if spec.between is None:
        return
    begins, ends = (parse_time(params[name]) for name in spec.between)
    if not begins < ends <= begins + SPAN:
        raise CodeError("InvalidParameter", f"{spec.between[1]} is out of range.")


def _shown(spec: EffectSpec, state: str | None) -> dict[str, Json]:
    if spec.state_field is None:
        return {}
    name, nothing = spec.state_field
    if state is None or state in spec.resource_type.gone:
        return {name: nothing}
    return {name: spec.state_values.get(state, state)}


def _agrees(
    action: Action,
    params: Params,
    wanted: Mapping[str, str | None],
    key: tuple[str, ...],
    resource: Resource,
) -> bool:
    """Return whether a resource matches a read of many; what is not recorded matches.

    Args:
        wanted: The value that each part of a key must have; None for any.
    """
    spec, recorded = action.effect_spec, resource.params
    if not "".join(key[:1]).startswith(str(params.get(action.emulation.prefix_param, ""))):
        return False
    asked = dict(zip(spec.key, key, strict=False))
    asked |= {of: str(recorded[of]) for of in spec.echoes.values() if of in recorded}
    for name in spec.between or ():
        asked.pop(name, None)
    if spec.between is not None and recorded.keys() >= set(spec.between):
        (first, last), (begins, ends) = (
            [parse_time(of[name]) for name in spec.between] for of in (params, recorded)
        )
        if not first <= begins < ends <= last:
            return False
    return all(wanted[name] in (None, value) for name, value in asked.items())


def _has_state(action: Action, params: Params, state: str) -> bool:
    """Return whether a resource is in the state that a read of many asks for."""
    wanted = params.get(action.emulation.state_param)
    return wanted is None or action.effect_spec.state_values.get(state) == wanted


def _wanted(action: Action, name: str, params: Params) -> str | None:
    """Return the value that a part of the key must have; None for any."""
    param = action.param(name)
    value = params.get(name, param.default if param else None)
    return None if value is None else str(value)


def _row(action: Action, key: tuple[str, ...], resource: Resource, state: str) -> dict[str, Json]:
    spec, state_row = action.effect_spec, action.emulation.state_row
    named: dict[str, Json] = dict(zip(spec.key, key, strict=True))
    if spec.since and resource.since:
        at = format_utc(resource.since)
        named |= _listed(spec.since.split("."), at)
    named |= {spec.ended: int(resource.ended)} if spec.ended else {}
    named |= {state_row: spec.state_values[state]} if state_row else {}
    return named | {name: resource.params.get(of) for name, of in spec.echoes.items()}


def _listed(path: list[str], value: str) -> dict[str, Json]:
    """Return a value at a path like `PublishTimeList.0.PublishTime`."""
    outer, _, inner = path
    return {outer: [{inner: value}]}


def _whole(params: Params, name: str, default: int) -> int:
    given = params.get(name)
    return given if isinstance(given, int) and given > 0 else default


def _nested(flat: Mapping[str, Json]) -> dict[str, Json]:
    """Return fields whose names have a dot as members of objects."""
    answer: dict[str, Json] = {}
    for name, value in flat.items():
        outer, dot, inner = name.partition(".")
        if not dot:
            answer[name] = value
            continue
        held = answer.setdefault(outer, {})
        if isinstance(held, dict):
            held[inner] = value
    return answer
