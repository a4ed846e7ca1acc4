"""Actions that the bot performs itself, without a request to Tencent Cloud."""

from bot.catalog.param_types import reason, text
from bot.model.actions import Action, Effect, EffectSpec, Param, Product, ResourceType

BOT = Product("stopstream", version="1", site="mainland", local=True)

_HELD = ResourceType("hold", ("held", "released"))
_TARGET = Param(
    "Target", "target", text, "what nobody may start, as for a stop", example="live stream1"
)
_WHY = Param("Reason", "reason", reason, "why, for anyone who wants to start it", example="legal")

HOLD = Action(
    api="Hold",
    words="hold",
    title="Hold {a stream or task}",
    does=(
        "Refuse every start of a target, from anyone, until it is released. Tencent Cloud does "
        "not know of it: what is live stays live, and the console can start what it likes."
    ),
    product=BOT,
    effect=Effect.CHANGE,
    repeatable=True,
    per_second=100,
    params=(_TARGET, _WHY),
    errors=(),
    effect_spec=EffectSpec(_HELD, ("Target",), new_state="held"),
    afterwards="/stopstream off lists what is held, each with a button that releases it.",
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

ACTIONS = (HOLD, RELEASE)
