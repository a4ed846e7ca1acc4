"""Defaults of parameters, regions and sites."""

import gc
import tracemalloc

import pytest

from bot.catalog.registry import ACTIONS
from bot.commands.formatting import format_command
from bot.commands.vocabulary import Vocabulary
from bot.errors import ParseError
from bot.model.actions import Effect
from tests.support.commands import BARE, MADE, SITES, command, read


def test_parser_refuses_action_missing_on_site() -> None:
    """An action that exists only on the mainland site is refused on the international one."""
    intl = Vocabulary(ACTIONS, {}, {}, "", SITES | {"live": "intl"})

    assert command("status pad", None, BARE).action.only == "mainland"
    with pytest.raises(ParseError, match="exists on the mainland site alone"):
        read("status pad", None, vocabulary=intl)
    found = command("pad stream1 DomainName=a.example.com", Effect.START, intl)
    assert found.params["PushDomainName"] == "a.example.com"


def test_parser_refuses_parameter_missing_on_site() -> None:
    """A parameter that only the other site has is refused when it is typed."""
    with pytest.raises(ParseError, match="far exists on the mainland site alone"):
        read("made m far=x", vocabulary=MADE)


def test_account_that_nobody_has_leaves_nothing_behind() -> None:
    """What is typed as an account may be any text, and is looked up before it is refused."""
    told = Vocabulary(ACTIONS, {"live": {"AppName": "live"}}, {}, "", SITES)
    address = "live webrtc://play.example.com/live/stream1"
    with pytest.raises(ParseError):
        read(f"{address} account=first", vocabulary=told)
    tracemalloc.start()
    try:
        for number in range(200):
            with pytest.raises(ParseError):
                read(f"{address} account={'x' * 3000}{number}", vocabulary=told)
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 200 * 1000


def test_defaults_of_api_win_over_kind_and_typed_over_both() -> None:
    """A default for the API wins over one for its kind, and a typed value wins over both."""
    assert dict(command("made m", vocabulary=MADE).params) == {
        "Id": "m",
        "Enabled": False,
        "Count": 3,
    }
    found = command("made m on=yes --Count 0", vocabulary=MADE)
    assert dict(found.params) == {"Id": "m", "Enabled": True, "Count": 0}


def test_parser_names_missing_parameter_with_example() -> None:
    """A missing parameter is named at the end of the text with a complete example."""
    with pytest.raises(ParseError) as caught:
        read("record stream1", vocabulary=BARE)

    error = caught.value
    assert error.sentence.startswith("task is missing: the number that")
    assert "/stopstream record stream1 task=1234" in error.sentence
    assert error.start == error.end == len(error.text)


@pytest.mark.parametrize(
    ("defaults", "says"),
    [
        ({"ingest": {"SdkAppId": "many"}}, 'default "many" for SdkAppId is not a whole number'),
        ({"ingest": {"SdkAppId": 1, "Region": "mars"}}, '"mars", which the configuration fills in'),
    ],
)
def test_parser_reports_invalid_default_as_configuration(
    defaults: dict[str, dict[str, str | int | bool]], says: str
) -> None:
    """An unusable default is reported as configuration and not as typed text."""
    with pytest.raises(ParseError) as caught:
        read("ingest t", vocabulary=Vocabulary(ACTIONS, defaults, {}, "", SITES))

    assert says in caught.value.sentence
    assert caught.value.start == caught.value.end


def test_region_falls_back_to_configured_one() -> None:
    """The configured region is used when neither the text nor the policy gives one."""
    spoken = Vocabulary(ACTIONS, {"trtc": {"SdkAppId": 1}}, {}, "ap-mumbai", SITES)
    found = command("ingest t", vocabulary=spoken)

    assert found.region == "ap-mumbai"
    assert command(format_command(found), vocabulary=BARE) == found
