"""Actions that the bot performs itself, without a request to Tencent Cloud."""

from bot.catalog.live import DESCRIBE_LIVE_STREAM_STATE, DROP_LIVE_STREAM
from bot.catalog.param_types import moment, reason, text
from bot.model.actions import (
    Action,
    Effect,
    EffectSpec,
    Json,
    Param,
    ParamType,
    Product,
    ResourceType,
)
from bot.model.commands import HOLD_TARGET
from bot.times import parse_instant

BOT = Product("stopstream", version="1", site="mainland", local=True)
LIVE = Product("live", version="1", site="mainland", local=True)
"""What the bot does itself with live streams, for which their defaults count."""

_HELD = ResourceType("hold", ("held", "released"))
_TARGET = Param(
    HOLD_TARGET, "target", text, "what nobody may start, as for a stop", example="live stream1"
)
_WHY = Param("Reason", "reason", reason, "why, for anyone who wants to start it", example="legal")

HOLD = Action(
    api="Hold",
    words="hold",
    title="Hold {a stream or task}",
    does=(
        "Refuse every start of a target, from anyone, until it is released. Tencent Cloud does "
        "not know of it: what is live stays live, and it can still be started in the console."
    ),
    product=BOT,
    effect=Effect.CHANGE,
    repeatable=True,
    per_second=100,
    params=(_TARGET, _WHY),
    errors=(),
    effect_spec=EffectSpec(_HELD, ("Target",), new_state="held"),
    afterwards="`/stopstream off` lists what is held, each with a button that releases it.",
    undo="Release",
)

RELEASE = Action(
    api="Release",
    words="release",
    title="Release {a hold}",
    synonyms=("unhold",),
    summary="ends a hold",
    does="End the hold of a target; starts are decided by the policy again.",
    product=BOT,
    effect=Effect.CHANGE,
    repeatable=True,
    per_second=100,
    params=(_TARGET,),
    errors=(),
    effect_spec=EffectSpec(_HELD, ("Target",), new_state="released"),
)

WATCHED_FOR = 1800.0
"""Seconds for which a stream is watched unless somebody says for how long."""

_SHORTEST, _LONGEST = 60.0, 86_400.0
_AT = moment(max_days=7)


def _end_of_watch(text: str, now: float) -> Json:
    read = _AT.read(text, now)
    left = (parse_instant(read) or now) - now
    # What is read has no fractions of a second.
    if left <= _SHORTEST - 1.0:
        raise ValueError("1m is the least")
    if left > _LONGEST:
        raise ValueError("24h is the most")
    return read


_UNTIL = Param(
    "Until",
    "for",
    ParamType("a time from 1 min to 24 h", "string", _end_of_watch, "30m", max_days_ahead=1),
    "how long, e.g. 10m or 8h, at most 24 hours (30 minutes if left out)",
    required=False,
)
_STREAM_KEY = DROP_LIVE_STREAM.effect_spec.key

WATCH = Action(
    api="Watch",
    words="watch",
    title="Watch {a stream}",
    synonyms=("follow", "monitor", "track", "observe"),
    summary="tells when a stream begins and ends",
    does=(
        "Say in a thread each time a live stream begins or ends, for 30 minutes unless you say "
        "otherwise. Nothing is sent but reads of its state."
    ),
    product=LIVE,
    effect=Effect.CHANGE,
    repeatable=True,
    per_second=100,
    params=(*DROP_LIVE_STREAM.params, _UNTIL),
    errors=(),
    effect_spec=EffectSpec(DROP_LIVE_STREAM.effect_spec.resource_type, _STREAM_KEY),
    expiry=("Until", WATCHED_FOR),
    undo="Unwatch",
    stop=DROP_LIVE_STREAM.api,
    status_read=DESCRIBE_LIVE_STREAM_STATE.api,
    allowed_by=DESCRIBE_LIVE_STREAM_STATE.api,
)

UNWATCH = Action(
    api="Unwatch",
    words="unwatch",
    title="Stop watching {a stream}",
    synonyms=("unfollow",),
    summary="ends a watch",
    does="End the watch of a stream in this channel.",
    product=LIVE,
    effect=Effect.CHANGE,
    repeatable=True,
    per_second=100,
    params=DROP_LIVE_STREAM.params,
    errors=(),
    effect_spec=EffectSpec(DROP_LIVE_STREAM.effect_spec.resource_type, _STREAM_KEY),
    status_read=DESCRIBE_LIVE_STREAM_STATE.api,
    allowed_by=DESCRIBE_LIVE_STREAM_STATE.api,
)

ACTIONS = (HOLD, RELEASE, WATCH, UNWATCH)
