"""Vocabularies for tests that parse commands."""

from typing import Any

from bot.catalog.car import SESSION
from bot.catalog.param_types import text as any_text
from bot.catalog.param_types import whole, yes_or_no
from bot.catalog.registry import ACTIONS, PRODUCTS
from bot.commands.parser import parse
from bot.commands.vocabulary import Vocabulary
from bot.model.actions import Account, Action, Effect, EffectSpec, Param, Product
from bot.model.commands import Command

NOW = 1_795_000_000.0
DOMAIN = "5000.livepush.myqcloud.com"
SITES = {product.name: product.site for product in PRODUCTS}
BARE = Vocabulary(ACTIONS, {}, {}, "", SITES)
RICH = Vocabulary(
    ACTIONS,
    {
        "live": {"DomainName": DOMAIN, "AppName": "live"},
        "ingest": {"SdkAppId": 1400000000, "Region": "ap-singapore"},
    },
    {"main-stage": f"live stream1 domain={DOMAIN}", "booth": "car booth7"},
    "",
    SITES,
)
STREAM = {"StreamName": "stream1", "DomainName": DOMAIN, "AppName": "live"}
PADDED = {"StreamName": "stream1", "PushDomainName": DOMAIN, "AppName": "live"}
_MADE = Product("made", version="2020-01-01", site="intl")


def _action(api: str, words: str, effect: Effect, *params: Param) -> Action:
    return Action(
        api=api,
        words=words,
        title="Do {it}",
        does="Do it.",
        product=_MADE,
        effect=effect,
        repeatable=True,
        per_second=1,
        params=params,
        errors=(),
        effect_spec=EffectSpec(SESSION, ("Id",)),
        regions={"mainland": ("ap-guangzhou",)} if effect is Effect.CHANGE else None,
    )


_ID = Param("Id", "id", any_text, "its id")
_KEY = Param("PushUrl", "url", any_text, "the push URL", secret=True)
_ON = Param("Enabled", "on", yes_or_no, "whether", required=False)
_FAR = Param("Far", "far", any_text, "far away", only="mainland")
_NUMBER = Param("Count", "count", whole, "how many", required=False)
MADE = Vocabulary(
    (
        _action("OpenMade", "made", Effect.START, _ID, _KEY, _ON),
        _action("CloseMade", "made", Effect.STOP, _FAR, _ID, _ON, _NUMBER),
        _action("BendMade", "bend", Effect.CHANGE, _ID),
    ),
    {"CloseMade": {"Count": 3}, "made": {"Count": 2, "Enabled": False}, "bend": {"Id": "b"}},
    {},
    "",
    {},
    {"default": Account(), "second": Account()},
    "default",
)


def read(text: str, verb: Effect | None = Effect.STOP, vocabulary: Vocabulary = RICH) -> Any:
    return parse(text, verb=verb, vocabulary=vocabulary, now=NOW)


def command(text: str, verb: Effect | None = Effect.STOP, vocabulary: Vocabulary = RICH) -> Command:
    found = read(text, verb, vocabulary)
    assert isinstance(found, Command), found
    return found
