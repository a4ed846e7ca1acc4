"""Conditions mean what a command would mean by the same spelling, or stop the start."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bot.catalog.registry import ACTIONS, by_api
from bot.commands.secrets import is_url
from bot.commands.vocabulary import Vocabulary
from bot.errors import ConfigError, ParseError
from bot.model.actions import Action, Json, Param
from bot.model.commands import Command
from bot.model.verdicts import Denied, Verdict
from bot.policy.evaluation import decide
from bot.redact import redact
from bot.times import is_duration
from tests.support.commands import SITES, read
from tests.support.policies import ROLE, facts, load

NOW = 1_790_000_000.0
_ALLOWED = ROLE + "actions: ['*']\n"
_PARAMS = [(action, param) for action in ACTIONS for param in action.params]


def _deny(api: str, where: dict[str, Any]) -> str:
    return _ALLOWED + yaml.safe_dump({"limits": [{"actions": [api], "deny": True, "where": where}]})


def _denies(api: str, where: dict[str, Any], values: dict[str, Json], region: str = "") -> bool:
    found = decide(load(_deny(api, where)), Command(by_api(api), values, region), facts())
    return isinstance(found, Denied)


@pytest.mark.parametrize(
    ("api", "name", "condition", "value", "other"),
    [
        ("UpdateStreamIngest", "IsPause", "true", True, False),
        ("UpdateStreamIngest", "IsPause", "yes", True, False),
        ("UpdateStreamIngest", "IsPause", "1", True, False),
        ("UpdateStreamIngest", "IsPause", "OFF", False, True),
        ("UpdateStreamIngest", "IsPause", True, True, False),
        ("UpdateStreamIngest", "IsPause", False, False, True),
        ("UpdateStreamIngest", "IsPause", 1, True, False),
        ("UpdateStreamIngest", "Tempo", "2", 2.0, 1.0),
        ("UpdateStreamIngest", "Tempo", 2, 2.0, 1.0),
        ("UpdateStreamIngest", "Tempo", "1.*", 1.25, 0.5),
        ("UpdateStreamIngest", "SdkAppId", "01", 1, 10),
        ("UpdateStreamIngest", "SdkAppId", "14*", 1400, 15),
        ("UpdateStreamIngest", "Volume", "-0", 0, 1),
        ("DropLiveStream", "StreamName", "a[b]", "a[b]", "a"),
        ("DropLiveStream", "StreamName", "a[b]", "ab", "ac"),
        ("DropLiveStream", "DomainName", "Push.Example.com.", "push.example.com", "b.tv"),
        ("DropLiveStream", "DomainName", "*.Example.com", "push.example.com", "b.tv"),
        ("RemoveUser", "UserIds", "a, b", ["b", "c"], ["c"]),
        ("RemoveUser", "UserIds", "a, b*", ["bc"], ["c"]),
        (
            "ResumeDelayLiveStream",
            "StreamName",
            1234,
            "1234",
            "1235",
        ),
        (
            "ForbidLiveStream",
            "ResumeTime",
            "2026-12-31T12:00+02:00",
            "2026-12-31T10:00:00Z",
            "2026-12-31T12:00:00Z",
        ),
        ("ForbidLiveStream", "ResumeTime", "2026-12-*", "2026-12-31T10:00:00Z", "2027-01-01"),
        ("ForbidLiveStream", "Reason", "a\u200db", "ab", "a"),
    ],
)
def test_condition_is_read_by_type(
    api: str, name: str, condition: Any, value: Json, other: Json
) -> None:
    """A condition holds for the value that a command would mean by it, and for no other."""
    assert _denies(api, {name: condition}, {name: value})
    assert not _denies(api, {name: condition}, {name: other})


def test_condition_on_region_ignores_case() -> None:
    """A region in capitals is the region."""
    assert _denies("RemoveUser", {"Region": "AP-Singapore"}, {}, "ap-singapore")
    assert not _denies("RemoveUser", {"Region": "AP-Singapore"}, {}, "ap-guangzhou")


@pytest.mark.parametrize(
    ("name", "condition", "problem"),
    [
        ("IsPause", "maybe", "where.IsPause: is not yes or no"),
        ("IsPause", 2, "where.IsPause: is not yes or no"),
        ("IsPause", "t*", "matches nothing that is yes or no"),
        ("Tempo", "3", "is not a speed"),
        ("Tempo", "3*", "matches nothing that is a speed"),
        ("SdkAppId", "x", "is not a whole number"),
        ("SdkAppId", "x*", "matches nothing that is a whole number"),
        ("SdkAppId", "01*", "matches nothing that is a whole number"),
        ("SdkAppId", True, "put it in quotes"),
        ("Volume", 201, "out of range"),
        ("TaskId", "a\u200bb", "invisible character"),
        ("Region", "ap-singapoer", 'did you mean "ap-singapore"'),
    ],
)
def test_condition_that_never_holds_stops_start(name: str, condition: Any, problem: str) -> None:
    """What can't be a value of the parameter is a problem of the file."""
    with pytest.raises(ConfigError) as caught:
        load(_deny("UpdateStreamIngest", {name: condition}))
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("name", "condition", "problem"),
    [
        ("ResumeTime", "2h", "depends on when it is read"),
        ("ResumeTime", "soon", "is no time"),
        ("DomainName", "rtmp://*", "matches nothing that is a host name"),
        ("DomainName", "nodots", "is not a host name"),
        ("StreamName", "s?txSecret=0123456789abcdef", "looks like a key"),
        ("StreamName", "rtmp://push.example.com/live/stream1", "is an address"),
        ("StreamName", "RTMP://*/live/stream1", "is an address"),
        ("StreamName", "push.example.com/live/stream1", "is an address"),
        ("StreamName", True, "put it in quotes"),
    ],
)
def test_condition_of_ban_that_never_holds_stops_start(
    name: str, condition: Any, problem: str
) -> None:
    """A time from now, a broken host name and a key are problems of the file; no key is shown."""
    with pytest.raises(ConfigError) as caught:
        load(_deny("ForbidLiveStream", {name: condition}))
    assert problem in str(caught.value)
    assert "0123456789abcdef" not in str(caught.value)


def test_condition_in_past_stays_valid() -> None:
    """A file does not become invalid because a time that it names has come."""
    assert _denies(
        "ForbidLiveStream", {"ResumeTime": "2001-01-01"}, {"ResumeTime": "2001-01-01T00:00:00Z"}
    )


def test_condition_of_rule_is_read_by_type() -> None:
    """A rule's condition is read as a limit's is."""
    read = load(_ALLOWED + "        where: {IsPause: yes, Tempo: '1'}\n".replace("yes", "'yes'"))
    control = by_api("UpdateStreamIngest")
    fits = Command(control, {"IsPause": True, "Tempo": 1.0})
    assert isinstance(decide(read, fits, facts()), Verdict)
    assert isinstance(decide(read, Command(control, {"IsPause": True}), facts()), Denied)
    other = Command(control, {"IsPause": False, "Tempo": 1.0})
    assert isinstance(decide(read, other, facts()), Denied)


_TIMES = (
    *("2h", "30m", "2026-10-01T10:00Z", "2026-09-25", "20260925", "2026-09-25T10:00+02:00"),
    *("2026-10-01*10:00", "2026-10-01?10:00", "20261001[10", "20261001110", "20261001 110000"),
)
"""Python takes any character between date and time."""

_WORDS = (
    *("yes", "no", "on", "Off", "TRUE", "false"),
    *("0.5", "0.75", "1.0", "1.25", "2", "2.0"),
    *(
        "a.tv",
        "A.TV.",
        "x-1.example.com",
        "rtmp://a.tv/live/x",
        "https://a.tv/*?a=[1]",
        "RTMP://a/b",
    ),
    *_TIMES,
)
_SPELLINGS = st.one_of(
    st.text(min_size=1, max_size=20),
    st.text("ab*?[]!-.,\u200d", min_size=1, max_size=8),
    st.integers(-3, 1000).map(str),
    st.integers(0, 20).map("{:03}".format),
    st.sampled_from(_WORDS),
)


def _value(param: Param, spelling: str) -> Json:
    try:
        return param.type.read(spelling, NOW)
    except ValueError:
        return None


@given(st.sampled_from(_PARAMS), st.data())
def test_condition_of_any_accepted_spelling_denies_its_value(
    both: tuple[Action, Param], data: st.DataObject
) -> None:
    """A deny on any spelling that a command may use for a value denies that value.

    Only what means another value each time, would be taken out as a key, or is an address of which
    a command takes the name alone stops the start.
    """
    action, param = both
    spelling = data.draw(_SPELLINGS.filter(lambda one: _value(param, one) is not None))
    values = {param.api: _value(param, spelling)}
    relative = param.type.max_days_ahead is not None and is_duration(spelling.removeprefix("-"))
    is_key = not param.secret and redact(spelling) != spelling
    is_address = param.word == "stream" and is_url(spelling)
    try:
        policy = load(_deny(action.api, {param.api: spelling}))
    except ConfigError:
        assert relative or is_key or is_address
        return
    assert not relative
    assert not is_address
    assert isinstance(decide(policy, Command(action, values), facts()), Denied)


def _example(param: Param) -> str:
    """Return a text that a command takes for a parameter."""
    shown = param.example or param.type.example or "some-name"
    accepted = (shown, "1", "rtmp://a.example.com/b/c", "2h", "yes")
    return next(one for one in accepted if _value(param, one) is not None)


_KINDS = {(one.type, one.word == "stream"): (action, one) for action, one in _PARAMS}
"""A parameter of each type, and one that may be typed as an address."""


@pytest.mark.parametrize("both", _KINDS.values(), ids=lambda both: f"{both[0].api}-{both[1].word}")
def test_condition_of_any_typed_spelling_denies_what_it_means(both: tuple[Action, Param]) -> None:
    """A deny on what somebody types, in quotes, denies what the parser makes of it, or stops."""
    action, param = both
    others = (one for one in action.params if one.required and one is not param)
    begin = " ".join((action.api, *(f'{one.api}="{_example(one)}"' for one in others)))
    # Every parameter exists on that site.
    region = (action.regions or {}).get("mainland", ("",))[0]
    vocabulary = Vocabulary(ACTIONS, {}, {}, region, dict.fromkeys(SITES, "mainland"))
    typed = 0
    for spelling in (*_WORDS, _example(param), "rtmp://a.tv/live/x", "a.tv/live/x"):
        try:
            found = read(f'{begin} {param.api}="{spelling}"', action.effect, vocabulary)
        except ParseError:
            continue
        typed += 1
        try:
            policy = load(_deny(action.api, {param.api: spelling}))
        except ConfigError:
            assert found.params[param.api] != spelling
            continue
        denied = decide(policy, found, facts())
        assert isinstance(denied, Denied), (spelling, found.params)
    assert typed
