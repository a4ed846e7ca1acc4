"""The things of the emulated cloud: streams, their encoders and bans, tasks and sessions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.catalog import FRESH
from bot.model import Action, Effect, Json, Params

BAN = 7 * 86_400.0
"""Seconds that a ban lasts unless it says otherwise."""


class CodeError(Exception):
    """An action is refused with one of Tencent Cloud's codes."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(slots=True)
class Thing:
    """One thing and its state.

    Attributes:
        returns_after: Seconds after which a cut encoder pushes again; None: it stays away.
        returns_at: When it does, epoch seconds.
        runs: How often an action has run on it, by API: what a campaign counts.
    """

    state: str
    runs: dict[str, int]
    returns_after: float | None = None
    returns_at: float | None = None


class Things:
    """Everything that exists in one account."""

    def __init__(self) -> None:
        self._things: dict[tuple[str, tuple[str, ...]], Thing] = {}
        # By the stream's name.
        self._bans: dict[str, float] = {}

    def put(
        self, kind: str, *key: Json, state: str = "", returns_after: float | None = None
    ) -> Thing:
        """Make a thing, in the state of one that has just come into being."""
        thing = Thing(state or FRESH[kind], {}, returns_after)
        self._things[kind, tuple(map(str, key))] = thing
        return thing

    def get(self, kind: str, *key: Json) -> Thing | None:
        """Find a thing."""
        return self._things.get((kind, tuple(map(str, key))))

    def run(self, action: Action, params: Params, now: float) -> dict[str, Json]:
        """Do what an action's declaration says; give the fields of the answer.

        Raises:
            CodeError: The declaration says that it is refused.
        """
        touch = action.touch
        key = tuple(str(params.get(name, "")) for name in touch.key)
        thing = self._things.get((touch.thing, key))
        state = self._state(touch.thing, key, thing, now)
        if touch.shows is not None:
            field, nothing = touch.shows
            ended = state == "finished" and touch.thing == "ingest"
            return {field: nothing if state is None or ended else state}
        if state is None and touch.absent is not None:
            raise CodeError(touch.absent, "The specified object does not exist.")
        if state is not None and state in touch.refused:
            raise CodeError(touch.refused[state], "The object is not in a state for this.")
        if touch.becomes is not None:
            if touch.thing == "stream":
                self._ban(action, params, key[0], now)
            if thing is not None:
                self._become(action, thing, now)
        return {}

    def _ban(self, action: Action, params: Params, name: str, now: float) -> None:
        """Set or lift a ban; it goes by the stream's name alone."""
        if action.touch.becomes == "forbid":
            self._bans[name] = _ban_ends(params, now)
        elif action.effect is Effect.START:
            self._bans.pop(name, None)

    def _become(self, action: Action, thing: Thing, now: float) -> None:
        thing.runs[action.api] = thing.runs.get(action.api, 0) + 1
        was_live = thing.state == "active"
        becomes = action.touch.becomes or thing.state
        thing.state = "inactive" if becomes == "forbid" else becomes
        if was_live and thing.returns_after is not None:
            thing.returns_at = now + thing.returns_after

    def _state(
        self, kind: str, key: tuple[str, ...], thing: Thing | None, now: float
    ) -> str | None:
        if kind == "stream":
            if self._bans.get(key[0], 0.0) > now:
                return "forbid"
            if thing is None:
                return "inactive"
            if thing.returns_at is not None and thing.returns_at <= now:
                thing.state, thing.returns_at = "active", None
        return thing.state if thing else None

    def all(self) -> Mapping[tuple[str, tuple[str, ...]], Thing]:
        """Give every thing by its kind and key."""
        return self._things

    def banned_until(self, stream: str) -> float:
        """Say when a stream's ban ends, epoch seconds; 0 if there is none."""
        return self._bans.get(stream, 0.0)

    def states(self, now: float) -> Mapping[tuple[str, tuple[str, ...]], str]:
        """Give the state of every thing now."""
        return {
            (kind, key): self._state(kind, key, thing, now) or ""
            for (kind, key), thing in self._things.items()
        }


def _ban_ends(params: Params, now: float) -> float:
    given = params.get("ResumeTime")
    if not isinstance(given, str):
        return now + BAN
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        raise CodeError("InvalidParameter", "ResumeTime is not a UTC time.") from None
    ends = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    if not now < ends <= now + 90 * 86_400:
        raise CodeError("InvalidParameterValue", "ResumeTime is out of range.")
    return ends
