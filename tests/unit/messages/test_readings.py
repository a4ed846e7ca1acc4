"""The results of reads are described in plain words, without secrets."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.catalog.registry import ACTIONS, by_api
from bot.model.actions import Effect, Json
from handlers.messages import (
    audit_line,
    blocks,
    cards,
    endings,
    replies,
)
from tests.unit.messages.samples import OPERATION, READ, untrusted


def test_status_read_shows_result_first() -> None:
    """A status read shows what it read before the details of the response."""
    operation = replace(
        OPERATION, api=READ.api, result={"StreamState": "active", "Other": [1, "<x>"]}
    )

    for message in (cards.card(operation, READ), endings.ending(operation, READ)):
        assert '`stream1` is `active`. `Other` is `[1, "&lt;x&gt;"]`.' in message.text


def test_status_read_is_shown_as_answered() -> None:
    """A status read is shown as answered in its card, outcome, audit line and list."""
    operation = replace(OPERATION, api=READ.api, result={"StreamState": "active"})

    assert cards.card(operation, READ).text.startswith("🔴 *Live: ")
    assert "*Answered*" in endings.ending(operation, READ).text
    assert audit_line.audit_line(operation, READ).text.startswith("Answered: ")
    assert replies.operation_line(operation).startswith("• 🔴 *Live: ")


SINCE = "<!date^1704067200^{date_short_pretty} {time}|2024-01-01 00:00 UTC>"


def told(api: str, result: dict[str, Json], **params: Json) -> str:
    """Return the text of a read's ending, up to how long it took."""
    text = endings.ending(
        replace(OPERATION, api=api, params=params, result=result), by_api(api)
    ).text
    return text.partition("\n*Answered* in ")[0]


def row(number: int, domain: str = "p.example.com") -> dict[str, Json]:
    since: Json = [{"PublishTime": "2024-01-01T00:00:00Z"}]
    return {
        "StreamName": f"s{number}",
        "DomainName": domain,
        "AppName": "live",
        "PublishTimeList": since,
    }


ONLINE, PADS = "DescribeLiveStreamOnlineList", "DescribeLivePadStreamList"


@pytest.mark.parametrize(
    ("api", "result", "says"),
    [
        (ONLINE, {"TotalNum": 0, "OnlineInfo": []}, "None is live."),
        (
            ONLINE,
            {"TotalNum": 1, "PageNum": 1, "TotalPage": 1, "OnlineInfo": [row(1)]},
            f"1 is live: `s1` (since {SINCE}).",
        ),
        (
            ONLINE,
            {"TotalNum": 30, "PageNum": 1, "TotalPage": 30, "OnlineInfo": [row(1)]},
            f"30 are live: `s1` (since {SINCE}) and 29 more. `TotalPage` is `30`.",
        ),
        (ONLINE, {"TotalNum": 3}, "3 are live."),
        (ONLINE, {"TotalNum": 1, "OnlineInfo": [{"X": 1}]}, '1 is live: `{"X": 1}`.'),
        (PADS, {"StreamInfoList": []}, "None is behind the pad."),
        (
            PADS,
            {"StreamInfoList": [row(1), row(1, "q.example.com")]},
            "2 are behind the pad: `p.example.com/live/s1`, `q.example.com/live/s1`.",
        ),
        (
            "DescribeLiveDelayInfoList",
            {"DelayInfoList": [{"StreamName": "s1", "DelayInterval": 60}]},
            "1 is delayed: `s1` (DelayInterval `60`).",
        ),
        (
            "DescribeConcurrentCount",
            {"Total": 5, "Running": 2},
            "`Running` is `2`, `Total` is `5`.",
        ),
        (ONLINE, {"Other": 1, "Empty": "", "None": None}, "`Other` is `1`."),
        (
            "DescribeRecordTask",
            {
                "TaskList": [
                    {"TaskId": "t1", "AppName": "x", "StartTime": 1704067200, "Stopped": 0},
                    {"TaskId": "t2", "Stopped": 1704067200},
                ]
            },
            f"2 found: `t1` (from {SINCE}, AppName `x`), `t2` (stopped {SINCE}).",
        ),
        ("DescribeRecordTask", {"TaskList": []}, "None found."),
    ],
)
def test_readings_describe_results(api: str, result: dict[str, Json], says: str) -> None:
    """Each kind of read result is described in plain words."""
    assert told(api, result) == says


def test_readings_describe_domain_state() -> None:
    """A domain is described by its state, followed by its other fields."""
    result: dict[str, Json] = {"DomainInfo": {"Status": 0, "Name": "a.b", "Type": 1}}
    said = told("DescribeLiveDomain", result, DomainName="a.b")

    assert said == "`a.b` is `disabled`. `DomainInfo.Type` is `1`."


def test_readings_shorten_long_list() -> None:
    """A long list is shortened and states how many entries are left out."""
    rows: list[Json] = [row(number) for number in range(100)]
    said = told(ONLINE, {"TotalNum": 100, "OnlineInfo": rows})
    named = len(re.findall("`s[0-9]+`", said))

    assert 10 <= named < 100
    assert said.endswith(f" and {100 - named} more.")
    assert len(said) < 2000


def test_readings_hide_secrets() -> None:
    """Secrets in a read result are hidden."""
    rows: Json = [{"StreamName": "s1?txSecret=5ECRE7"}]
    result: dict[str, Json] = {"PushUrl": "5ECRE7", "Other": {"Note": "txSecret=5ECRE7"}}
    said = told(ONLINE, {"OnlineInfo": rows, **result}) + told(READ.api, result)

    assert "5ECRE7" not in said
    assert said.count("`PushUrl` is `[hidden]`") == 2
    assert "`Other.Note` is `txSecret=[hidden]`" in said


@given(
    st.recursive(
        st.one_of(st.none(), st.integers(), untrusted),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(untrusted, inner, max_size=3)
        ),
        max_leaves=6,
    )
)
def test_readings_escape_any_result(given: Json) -> None:
    """No read result renders markup or exceeds the length limit."""
    for action in (a for a in ACTIONS if a.effect is Effect.READ):
        fields = [
            *action.effect_spec.lists,
            *action.effect_spec.counts,
            (action.effect_spec.state_field or ("x", ""))[0],
        ]
        result: dict[str, Json] = dict.fromkeys(fields, given)
        message = endings.ending(replace(OPERATION, api=action.api, result=result), action)
        assert not re.search(r"<(?!@U0|!date)", message.text)
        assert len(message.text) <= blocks.TEXT_MOST
