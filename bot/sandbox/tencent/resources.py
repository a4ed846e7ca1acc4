"""The things of the emulated cloud: streams, their encoders and bans, tasks, rooms and sessions."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bot.catalog.live import DOMAIN, RECORD_TASK, STREAM
from bot.catalog.registry import RESOURCE_TYPES
from bot.model.actions import Action, Effect, EffectSpec, Json, Params, ResourceType
from bot.times import parse_instant

BAN = 7 * 86_400.0
"""Seconds that a ban lasts unless it says otherwise."""

RECORD = 86_400.0
"""Seconds that a task of CreateRecordTask lasts at most."""

SPAN = 7 * 86_400.0
"""Seconds of time that may be asked about at once."""


class CodeError(Exception):
    """An action is refused with one of Tencent Cloud's codes."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(slots=True)
class Resource:
    """One thing and its state.

    Attributes:
        returns_after: Seconds after which a cut encoder pushes again; None: it stays away.
        returns_at: When it does, epoch seconds.
        runs: How often an action has run on it, by API: what a campaign counts.
        params: The parameters of the actions that ran on it; a later one's value holds.
        since: Since when it has been in its first state, epoch seconds; 0 if nobody knows.
        ended: When a stop ended it, epoch seconds; 0 if none did.
    """

    state: str
    runs: dict[str, int]
    returns_after: float | None = None
    returns_at: float | None = None
    params: Params = field(default_factory=dict[str, Json])
    since: float = 0.0
    ended: float = 0.0


class Resources:
    """Everything that exists in one account."""

    def __init__(self) -> None:
        self._things: dict[tuple[str, tuple[str, ...]], Resource] = {}
        # By the stream's name.
        self._bans: dict[str, float] = {}

    def put(
        self,
        kind: str,
        *key: Json,
        state: str = "",
        returns_after: float | None = None,
        since: float = 0.0,
        said: Params | None = None,
    ) -> Resource:
        """Make a thing, in the state of one that has just come into being."""
        state = state or RESOURCE_TYPES[kind].states[0]
        thing = Resource(state, {}, returns_after, params=said or {}, since=since)
        self._things[kind, tuple(map(str, key))] = thing
        return thing

    def get(self, kind: str, *key: Json) -> Resource | None:
        """Find a thing."""
        return self._things.get((kind, tuple(map(str, key))))

    def run(self, action: Action, params: Params, now: float) -> dict[str, Json]:
        """Do what an action's declaration says; give the fields of the answer.

        Raises:
            CodeError: The declaration says that it is refused.
        """
        touch = action.effect_spec
        if touch.counts or touch.lists:
            return _nested(self._many(action, params, now))
        made: dict[str, Json] = {touch.creates: uuid.uuid4().hex} if touch.creates else {}
        key = tuple(str({**params, **made}.get(name, "")) for name in touch.key)
        if made:
            params = _timed(touch, params, now)
        else:
            _refuse(action, self._state(touch.resource_type.name, key, now))
        if touch.new_state is not None:
            self._become(action, key, params, now)
        shown = _shown(touch, self._state(touch.resource_type.name, key, now))
        return _nested(made | shown | {name: params.get(of) for name, of in touch.echoes.items()})

    def _many(self, action: Action, params: Params, now: float) -> dict[str, Json]:
        """Count and list the things that agree with what is given; a page of them at most."""
        touch = action.effect_spec
        _spanned(touch, params)
        found = [
            (key, thing, self._state(touch.resource_type.name, key, now) or "")
            for key, thing in self._of(touch.resource_type)
            if _agrees(action, params, key, thing)
        ]
        answer: dict[str, Json] = {
            name: sum(state in states for *_, state in found)
            for name, states in touch.counts.items()
        }
        first, size = 0, len(found)
        if action.param("PageSize") is not None:
            page, size = _whole(params, "PageNum", 1), _whole(params, "PageSize", 10)
            first = (page - 1) * size
            total = next(iter(answer.values()), 0)
            pages = -(-int(str(total)) // size)
            answer |= {"PageNum": page, "PageSize": size, "TotalPage": pages}
        for name, states in touch.lists.items():
            rows = [_row(touch, key, thing) for key, thing, state in found if state in states]
            answer[name] = list[Json](rows[first : first + size])
        return answer

    def _become(self, action: Action, key: tuple[str, ...], params: Params, now: float) -> None:
        touch = action.effect_spec
        becomes = str(touch.new_state)
        if touch.resource_type == STREAM:
            self._ban(action, params, key[0], now)
        thing = self.get(touch.resource_type.name, *key)
        if thing is None:
            if touch.resource_type == STREAM:
                # Nobody ever pushed it.
                return
            thing = self._things[touch.resource_type.name, key] = Resource(
                touch.resource_type.states[0], {}
            )
        thing.runs[action.api] = thing.runs.get(action.api, 0) + 1
        thing.params = {**thing.params, **params}
        thing.ended = now if action.effect is Effect.STOP else 0.0
        if touch.resource_type != STREAM:
            thing.state = becomes
        elif action.effect is Effect.STOP:
            _cut(thing, now)
        if touch.resource_type == DOMAIN and becomes == "disabled":
            for (_, domain, _), stream in self._of(STREAM):
                if domain == key[0]:
                    _cut(stream, now)

    def _ban(self, action: Action, params: Params, name: str, now: float) -> None:
        """Set or lift a ban; it goes by the stream's name alone."""
        if action.effect_spec.new_state == "forbid":
            given = params.get("ResumeTime")
            self._bans[name] = now + BAN if given is None else parse_time(given)
        elif action.effect is Effect.START:
            self._bans.pop(name, None)

    def _of(self, subject: ResourceType) -> Iterator[tuple[tuple[str, ...], Resource]]:
        things = list(self._things.items())
        yield from ((key, thing) for (kind, key), thing in things if kind == subject.name)

    def _state(self, kind: str, key: tuple[str, ...], now: float) -> str | None:
        thing = self.get(kind, *key)
        if kind == STREAM.name:
            if self._bans.get(key[0], 0.0) > now:
                return "forbid"
            domain = self.get(DOMAIN.name, key[1])
            if thing is None or (domain is not None and domain.state == "disabled"):
                return "inactive"
            if thing.returns_at is not None and thing.returns_at <= now:
                thing.state, thing.since, thing.returns_at = "active", thing.returns_at, None
        return thing.state if thing else None

    def all(self) -> Mapping[tuple[str, tuple[str, ...]], Resource]:
        """Give every thing by its kind and key."""
        return self._things

    def banned_until(self, stream: str) -> float:
        """Say when a stream's ban ends, epoch seconds; 0 if there is none."""
        return self._bans.get(stream, 0.0)

    def states(self, now: float) -> Mapping[tuple[str, tuple[str, ...]], str]:
        """Give the state of every thing now."""
        return {(kind, key): self._state(kind, key, now) or "" for kind, key in self._things}


def parse_time(given: Json) -> float:
    """Read a time as Tencent Cloud takes it, epoch seconds or UTC text; give epoch seconds.

    Raises:
        CodeError: It is none.
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
    touch, refused = action.effect_spec, action.emulation.refused
    if state is not None and state in refused:
        raise CodeError(refused[state], "The object is not in a state for this.")
    if touch.absent is not None and (state is None or state in touch.resource_type.gone):
        raise CodeError(touch.absent, "The specified object does not exist.")


def _timed(touch: EffectSpec, params: Params, now: float) -> Params:
    """See that a recording ends after it begins, and soon enough; say when it begins."""
    if touch.resource_type != RECORD_TASK:
        return params
    begins = params.get("StartTime", int(now))
    if not parse_time(begins) < parse_time(params["EndTime"]) <= parse_time(begins) + RECORD:
        raise CodeError("InvalidParameter", "EndTime is out of range.")
    return {**params, "StartTime": begins}


def _spanned(touch: EffectSpec, params: Params) -> None:
    """See that not too much time is asked about."""
    if touch.between is None:
        return
    begins, ends = (parse_time(params[name]) for name in touch.between)
    if not begins < ends <= begins + SPAN:
        raise CodeError("InvalidParameter", f"{touch.between[1]} is out of range.")


def _shown(touch: EffectSpec, state: str | None) -> dict[str, Json]:
    if touch.state_field is None:
        return {}
    name, nothing = touch.state_field
    if state is None or state in touch.resource_type.gone:
        return {name: nothing}
    return {name: touch.state_values.get(state, state)}


def _agrees(action: Action, params: Params, key: tuple[str, ...], thing: Resource) -> bool:
    """Say whether a thing is one of those that a read of many asks for; what is unsaid agrees."""
    touch, said = action.effect_spec, thing.params
    asked = dict(zip(touch.key, key, strict=False))
    asked |= {name: str(said[of]) for name, of in touch.echoes.items() if of in said}
    for name in touch.between or ():
        asked.pop(name, None)
    if touch.between is not None and said.keys() >= set(touch.between):
        (first, last), (begins, ends) = (
            [parse_time(of[name]) for name in touch.between] for of in (params, said)
        )
        if not first <= begins < ends <= last:
            return False
    return all(_wanted(action, name, params) in (None, value) for name, value in asked.items())


def _wanted(action: Action, name: str, params: Params) -> str | None:
    """Give what a part of the key must be; None where the request leaves it open."""
    param = action.param(name)
    value = params.get(name, param.default if param else None)
    return None if value is None else str(value)


def _row(touch: EffectSpec, key: tuple[str, ...], thing: Resource) -> dict[str, Json]:
    named: dict[str, Json] = dict(zip(touch.key, key, strict=True))
    if touch.since and thing.since:
        at = datetime.fromtimestamp(thing.since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        named |= _listed(touch.since.split("."), at)
    named |= {touch.ended: int(thing.ended)} if touch.ended else {}
    return named | {name: thing.params.get(of) for name, of in touch.echoes.items()}


def _listed(path: list[str], value: str) -> dict[str, Json]:
    """Put a value where a path like `PublishTimeList.0.PublishTime` leads."""
    outer, _, inner = path
    return {outer: [{inner: value}]}


def _whole(params: Params, name: str, default: int) -> int:
    given = params.get(name)
    return given if isinstance(given, int) and given > 0 else default


def _nested(flat: Mapping[str, Json]) -> dict[str, Json]:
    """Put the fields whose names have a dot into their objects."""
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
