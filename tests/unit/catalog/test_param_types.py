"""Parameter types: which texts are values, and which are refused."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.catalog import param_types as kinds
from bot.catalog.registry import by_api
from bot.model.actions import ParamType

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC).timestamp()
QUARTER = kinds.moment(max_days=90)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (kinds.text, " stream 1 ", " stream 1 "),
        (kinds.text, "流一", "流一"),
        (kinds.reason, "r" * 2048, "r" * 2048),
        (kinds.hostname, "Push.Example.COM", "push.example.com"),
        (kinds.hostname, "5000.livepush.myqcloud.com.", "5000.livepush.myqcloud.com"),
        (kinds.integer, "-9223372036854775808", -(2**63)),
        (kinds.integer, "9223372036854775807", 2**63 - 1),
        (kinds.whole, "18446744073709551615", 2**64 - 1),
        (kinds.whole, "0", 0),
        (kinds.yes_or_no, "YES", True),
        (kinds.number(1, 600), "600", 600),
        (kinds.number(-1, 1000, "int64"), "-1", -1),
        (kinds.tempo, "0.75", 0.75),
        (kinds.user_ids(10), "alice, bob", ["alice", "bob"]),
        (
            kinds.user_ids(10),
            "-a_b-,c.d@e.example,\u7528\u6237",
            ["-a_b-", "c.d@e.example", "\u7528\u6237"],
        ),
        (kinds.room_name, "Lobby 1 <a&b>", "Lobby 1 <a&b>"),
        (kinds.room_name, "x" * 64, "x" * 64),
        (kinds.rtmp, "RTMP://a.example.com/live2/key", "RTMP://a.example.com/live2/key"),
        (kinds.address, "https://a.example.com", "https://a.example.com"),
        (kinds.timestamp(max_days=7), "2h", int(NOW) + 7200),
        (kinds.timestamp(max_days=7, back=90), "-2h", int(NOW) - 7200),
        (kinds.timestamp(max_days=7, back=90), "2026-11-20T09:00Z", int(NOW) - 3600),
        (QUARTER, "30m", "2026-11-20T10:30:00Z"),
        (QUARTER, "2h30m", "2026-11-20T12:30:00Z"),
        (QUARTER, "90s", "2026-11-20T10:01:30Z"),
        (QUARTER, "7d", "2026-11-27T10:00:00Z"),
        (QUARTER, "1w", "2026-11-27T10:00:00Z"),
        (QUARTER, "90d", "2027-02-18T10:00:00Z"),
        (QUARTER, "2026-11-27T10:00:00Z", "2026-11-27T10:00:00Z"),
        (QUARTER, "2026-11-27t10:00", "2026-11-27T10:00:00Z"),
        (QUARTER, "2026-11-27T12:00+02:00", "2026-11-27T10:00:00Z"),
    ],
)
def test_param_type_parses_valid_text(kind: ParamType, text: str, value: object) -> None:
    """Each parameter type parses a valid text into a value of its type."""
    read = kind.read(text, NOW)

    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        (kinds.text, "", "empty"),
        (kinds.text, "x" * 1025, "longer than 1024 characters"),
        (kinds.text, "a\nb", "line break"),
        (kinds.text, "a\x00b", "invisible character"),
        (kinds.text, "a\u202eb", "invisible character"),
        (kinds.reason, "é" * 1025, "longer than 2048 bytes"),
        (kinds.reason, "r" * 1500 + "\x1b", "invisible character"),
        (kinds.reason, "\ud800", "invisible character"),
        (kinds.hostname, "rtmp://push.example.com", "without rtmp://"),
        (kinds.hostname, "push.example.com/live", "without rtmp://"),
        (kinds.hostname, "push.example.com:1935", "without a port"),
        (kinds.hostname, "\u212apush.example.com", "xn--"),
        (kinds.hostname, "localhost", ""),
        (kinds.hostname, "-a.example.com", ""),
        (kinds.hostname, "a..example.com", ""),
        (kinds.hostname, "a" * 64 + ".com", ""),
        (kinds.hostname, "", ""),
        (kinds.integer, "9223372036854775808", "out of range"),
        (kinds.integer, "1.0", ""),
        (kinds.integer, "1e9", ""),
        (kinds.integer, "٣", ""),
        (kinds.integer, "5\n", ""),
        (kinds.whole, "-1", "out of range"),
        (kinds.whole, "18446744073709551616", "out of range"),
        (kinds.yes_or_no, "maybe", ""),
        (kinds.number(1, 600), "601", "out of range"),
        (kinds.number(1, 600), "0", "out of range"),
        (kinds.tempo, "3", ""),
        (kinds.tempo, "0.7", ""),
        (kinds.user_ids(2), "a,b,c", "2 are the most"),
        (kinds.user_ids(2), "a,,", "empty"),
        *(
            (kinds.user_ids(2), one, "Slack")
            for one in ("<@U0ALICE>", "a,@U0ALICE", "@alice", "`@a`")
        ),
        *(
            (kinds.user_ids(2), one, "letters")
            for one in ("a b", "a+b", "a&b", "a/b", "a:b", "a=b")
        ),
        *(
            (kinds.user_ids(2), one, "letters")
            for one in ('{"ids":["a"]}', "a:fire:", "#c", "a\u548c:b")
        ),
        (kinds.room_name, "", "empty"),
        (kinds.room_name, "x" * 65, "longer than 64 characters"),
        *((kinds.room_name, f"a{one}b", "it holds .$") for one in "\"'`*\\/\u00e9\u623f"),
        (kinds.rtmp, "https://a.example.com/live", ""),
        (kinds.rtmp, "rtmp:///live", ""),
        (kinds.address, "a.example.com/live", ""),
        (kinds.address, "rtmp://a.example.com/live/ s", ""),
        (kinds.timestamp(max_days=7), "8d", "7 days are the most"),
        (kinds.timestamp(max_days=7), "-2h", "in the past"),
        (kinds.timestamp(max_days=7, back=90), "-90d", "90 days ago are the most"),
        (kinds.timestamp(max_days=7, back=90), "--2h", "like 30m"),
        (kinds.timestamp(max_days=7, back=90), "8d", "7 days are the most"),
        (QUARTER, "2026-11-20T09:59:59Z", "in the past"),
        (QUARTER, "2026-11-20T10:00:00Z", "in the past"),
        (QUARTER, "91d", "90 days are the most"),
        (QUARTER, "9999-12-31T23:59-14:00", "90 days are the most"),
        (QUARTER, "0m", "more than nothing"),
        (QUARTER, "٣d", "like 30m"),
        (QUARTER, "soon", "like 30m"),
        (QUARTER, "", "like 30m"),
    ],
)
def test_param_type_refuses_invalid_text(kind: ParamType, text: str, reason: str) -> None:
    """A parameter type refuses an invalid text with the reason."""
    # Without a reason it is empty: nothing of the machine's own words.
    with pytest.raises(ValueError, match=reason or "^$"):
        kind.read(text, NOW)


@pytest.mark.parametrize(
    "text",
    [
        *(f"u1{sign}u2" for sign in (",", ", ", ";", "|", " , ", "\n", "，", "、", "；", "｜")),
        *("[u1,u2]", '["u1","u2"]', '["u1", "u2"]', "['u1','u2']", "(u1),(u2)", "{u1;u2}"),
        *('"u1","u2"', "`u1`,`u2`", "`u1,u2`", "“u1”，“u2”", "‘u1’、‘u2’", "«u1»;«u2»"),
        *('u1,"u2"', "u1`,`u2", "*u1*,*u2*", "「u1」、「u2」", "【u1，u2】", "（u1；u2）"),
    ],
)
def test_user_list_is_read_as_it_is_written(text: str) -> None:
    """Of a list of users only the ids are kept, whatever separates and encloses them."""
    assert kinds.user_ids(10).read(text, NOW) == ["u1", "u2"]


@pytest.mark.parametrize("api", ["DismissRoom", "RemoveUser"])
def test_room_number_is_one_that_a_client_can_enter(api: str) -> None:
    """A room's number is from 1 to 4294967294, as the SDKs document."""
    room = by_api(api).params[0].type

    assert [room.read(str(one), NOW) for one in (1, 2**32 - 2)] == [1, 2**32 - 2]
    for one in (-1, 0, 2**32 - 1, 2**32, 2**64):
        with pytest.raises(ValueError, match="out of range"):
            room.read(str(one), NOW)


@given(st.text(max_size=40) | st.from_regex(r"[0-9TZ:.+-]{1,25}|([0-9]{1,6}[smhdw]){1,3}"))
def test_param_type_handles_any_text(text: str) -> None:
    """Any text is parsed or refused with a short ValueError."""
    for kind in (kinds.text, kinds.reason, kinds.hostname, kinds.integer, kinds.whole, QUARTER):
        try:
            kind.read(text, NOW)
        except ValueError as error:
            assert type(error) is ValueError
            assert len(str(error)) < 100
