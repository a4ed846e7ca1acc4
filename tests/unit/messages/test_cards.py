"""The words people see: true, complete in their text, within Slack's limits, and nobody else's."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example as also
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.catalog.registry import ACTIONS, action_of, by_api
from bot.commands.formatting import example
from bot.commands.parsed import Audit, Form, Help, WhoAmI
from bot.commands.parser import parse
from bot.commands.vocabulary import Vocabulary
from bot.errors import ParseError
from bot.model.actions import Action, Approval, Effect, Json, Reading
from bot.model.commands import Command, Via
from bot.model.messages import EphemeralNotice
from bot.model.operations import (
    UNREADABLE,
    Approvals,
    GivenApproval,
    Operation,
    Origin,
    Preview,
    Search,
    State,
)
from bot.model.people import Actor, Person, Place
from bot.operations.service import Accepted, Invalid, NotRecorded, Permissions, SearchPage
from bot.policy.explanation import Permission
from bot.sandbox.slack import block_kit as blockkit
from handlers.messages import (
    audit_line,
    blocks,
    cards,
    endings,
    home_view,
    mrkdwn,
    replies,
    rights,
    search_results,
    state_text,
    views,
)
from handlers.messages import help as help_messages
from handlers.messages.blocks import Message
from tests.support.fakes import made_up

VOCABULARY = Vocabulary(
    actions=ACTIONS,
    defaults={"live": {"DomainName": "push.example.com"}, "ingest": {"SdkAppId": 1400000000}},
    targets={"main-stage": "live stream1"},
    region="ap-singapore",
    sites={action.product.name: action.product.site for action in ACTIONS},
)
DROP, READ = by_api("DropLiveStream"), by_api("DescribeLiveStreamState")
OPERATION = Operation(
    id="op1",
    key="trigger",
    state=State.ACCEPTED,
    actor=Actor("T0HOME", "U0ALICE"),
    place=Place("C0INC"),
    via=Via.COMMAND,
    text="live stream1",
    asked_at=1_700_000_000.0,
    api="DropLiveStream",
    params={"StreamName": "stream1", "DomainName": "push.example.com", "AppName": "live"},
    rule="roles.oncall.allow[0]",
    attempts=1,
    request_id="8e50cdb5-56dc-408b-89b0-31818958d424",
    duration=0.123,
)

# What we write ourselves between angle brackets, and nothing else.
OURS = re.compile(
    r"<(?:@[UW][A-Z0-9]{1,31}|#[CG][A-Z0-9]{1,31}"
    r"|!date\^\d+\^\{date_short_pretty\} \{time\}\|[0-9: -]+UTC"
    r"|!subteam\^S[A-Z0-9]{1,31}"
    r"|https://[A-Za-z0-9.:/?=&_%-]+\|(?:its )?card"
    r"|https://[A-Za-z0-9.:/?=&;_%~#+,!-]+\|runbook)>"
)
ENTITY = re.compile(r"&(?:amp|lt|gt);")


def texts(found: object) -> list[str]:
    """Give every text in a message, block or view."""
    if isinstance(found, Message):
        return [found.text, *texts(found.blocks)]
    if isinstance(found, dict):
        return [t for key, value in found.items() if key != "initial_value" for t in texts(value)]
    if isinstance(found, Sequence) and not isinstance(found, str):
        return [text for one in found for text in texts(one)]
    return [found] if isinstance(found, str) else []


def is_harmless(message: Message) -> None:
    for text in texts(message):
        rest = OURS.sub("", text)
        assert "<" not in rest
        assert ">" not in rest
        assert "&" not in ENTITY.sub("", rest)
        assert not re.search(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2069\r\x00]", rest)
    assert blockkit.problems(list(message.blocks)) == []
    assert 0 < len(message.text) <= 4000


def outside_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", text)


# --- foreign text --------------------------------------------------------------------

nasty = st.one_of(
    st.text(),
    st.text(alphabet="<>&`*_~:@!#|\n\r\t\u202e\u200b /\\abcUC0"),
    st.sampled_from(
        [
            "<!channel>",
            "<@U0BOB>",
            "<https://evil.example|here>",
            "@here",
            "https://evil.example/x",
            "&lt;!here&gt;",
            "```x```",
            ":bomb:",
            "\u202egnp.exe",
            "x" * 20_000,
            "&" * 5000,
            "😀" * 5000,
            "\ud800",
        ]
    ),
)


@given(nasty, st.integers(10, 400))
def test_mrkdwn_escape_is_one_safe_line(text: str, most: int) -> None:
    """Escaped text is one line without markup, within the requested length."""
    shown = mrkdwn.escape(text, most)

    assert len(shown) + sum(c > "\uffff" for c in shown) <= most
    assert "\n" not in shown
    assert not re.search(r"[<>`@]", shown)
    assert "://" not in shown
    assert not re.search(r":[\w+'-]+:", shown)
    assert not re.search(r"(?<![0-9A-Za-z])[*_~]|[*_~](?![0-9A-Za-z])", shown)
    assert "&" not in ENTITY.sub("", shown)
    shown.encode()


@given(nasty, st.integers(10, 400))
def test_mrkdwn_code_is_one_span(text: str, most: int) -> None:
    """Text in a code span cannot leave the span or exceed the requested length."""
    shown = mrkdwn.code(text, most)

    assert shown == "(empty)" or re.fullmatch(r"`[^`\n<>]+`", shown)
    assert len(shown) + sum(c > "\uffff" for c in shown) <= most + 2
    assert "&" not in ENTITY.sub("", shown)


@given(nasty)
def test_mrkdwn_code_block_cannot_be_left(text: str) -> None:
    """Text in a code block cannot close the block or contain angle brackets."""
    shown = mrkdwn.code_block(text)

    assert shown.count("`") == 6
    assert not re.search(r"[<>]", shown)


@pytest.mark.parametrize(
    "text", ["stream1", "prod-1_a", "5000.livepush.myqcloud.com", "a_b_c", "no-1 (live), 50 %"]
)
def test_mrkdwn_escape_keeps_plain_text(text: str) -> None:
    """Text without markup is unchanged when escaped, and only quoted as code."""
    assert mrkdwn.escape(text) == text
    assert mrkdwn.code(text) == f"`{text}`"


@given(nasty)
def test_mrkdwn_mentions_only_valid_ids(text: str) -> None:
    """Only a valid Slack ID is rendered as a user or channel mention."""
    for shown in (mrkdwn.user(text), mrkdwn.channel(text)):
        assert OURS.fullmatch(shown) or shown == "a direct message" or "<" not in shown


@given(nasty)
def test_mrkdwn_link_renders_only_safe_urls(text: str) -> None:
    """A link is rendered only for a safe HTTPS URL; any other text renders nothing."""
    shown = mrkdwn.link(text, "card")

    assert shown == "" or OURS.fullmatch(shown)


@given(st.floats())
def test_mrkdwn_time_renders_any_float(at: float) -> None:
    """Any float is rendered as a Slack date or as an unknown time."""
    shown = mrkdwn.format_slack_time(at)

    assert OURS.fullmatch(shown) or shown == "at an unknown time"


PARTS = ("ab ", "<@U0ALICE>", "<#C0INC>", "&lt;", "&amp;", "`x`", "<https://x.example|there>")


@given(st.lists(st.sampled_from(PARTS), max_size=20), st.integers(5, 40))
def test_mrkdwn_truncate_keeps_markup_whole(parts: list[str], most: int) -> None:
    """Truncation never splits a mention, link or entity."""
    text = "".join(parts)
    cut = mrkdwn.truncate(text, most)

    assert len(cut) <= most
    assert cut == text or cut.endswith("…")
    assert cut.count("<") == cut.count(">")
    assert cut.count("&") == cut.count(";")


# --- operations ------------------------------------------------------------------------

approvals = st.builds(
    Approvals,
    needed=st.integers(1, 9),
    roles=st.lists(nasty, max_size=12).map(tuple),
    people=st.lists(st.one_of(nasty, st.just("S0LEADS")), max_size=30).map(tuple),
    given=st.lists(st.builds(GivenApproval, nasty, st.floats()), max_size=3).map(tuple),
    break_glass_rule=nasty,
    request_from=st.lists(nasty, max_size=3).map(tuple),
    lacking=nasty,
)
previews = st.builds(
    Preview,
    state=nasty,
    state_at_press=nasty,
    readings=st.lists(
        st.builds(
            Reading,
            st.sampled_from(["Live since {}, pushed to {}.", "Among them: {}.", "Not read."]),
            st.lists(st.one_of(nasty, st.floats()), max_size=3).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
)
origins = st.builds(Origin, request_of=st.sampled_from(["", "op0"]))
operations = st.builds(
    Operation,
    # Made by us, so it is a plain word.
    id=st.just("w5akwi4hgk42u7bi"),
    key=nasty,
    state=st.sampled_from(State),
    actor=st.builds(Actor, nasty, nasty),
    place=st.builds(Place, nasty, nasty),
    via=st.sampled_from(Via),
    text=nasty,
    asked_at=st.floats(),
    api=st.one_of(nasty, st.sampled_from([action.api for action in ACTIONS])),
    params=st.dictionaries(
        st.one_of(nasty, st.sampled_from(["StreamName", "DomainName", "TaskId", "UserId"])),
        st.one_of(nasty, st.integers(), st.booleans(), st.none(), st.lists(nasty, max_size=3)),
        max_size=30,
    ),
    region=nasty,
    account=nasty,
    rule=nasty,
    detail=nasty,
    attempts=st.integers(0, 9),
    request_id=nasty,
    code=nasty,
    error_message=nasty,
    result=st.dictionaries(nasty, st.one_of(nasty, st.integers(), st.none()), max_size=15),
    duration=st.one_of(st.none(), st.floats(allow_nan=False)),
    card_ts=nasty,
    approval=st.sampled_from(Approval),
    approvals=approvals,
    preview=previews,
    origin=origins,
    expires_at=st.one_of(st.none(), st.floats()),
    decided_by=nasty,
    decided_at=st.one_of(st.none(), st.floats()),
    reason=nasty,
    emergency=st.booleans(),
    duplicate_of=st.sampled_from(["", "op2"]),
    case=nasty,
    runbook=st.one_of(nasty, st.just("https://wiki.example.com/a?b=1&c=2#d")),
    verified_state=st.one_of(nasty, st.sampled_from(["active", "inactive", UNREADABLE])),
)


@settings(max_examples=150, deadline=None)
@given(operations, nasty)
def test_replies_escape_untrusted_text(operation: Operation, permalink: str) -> None:
    """No reply renders markup from untrusted text, and all are valid messages for Slack."""
    action = action_of(operation)
    for message in (
        cards.card(operation, action),
        endings.ending(operation, action),
        endings.private_reply(operation, action, permalink, again=True),
        endings.reminder(operation, action),
        endings.verification(operation, action),
        replies.ephemeral_notice(
            EphemeralNotice(operation.actor, operation.place, operation.detail or "x", 0.0)
        ),
        audit_line.audit_line(operation, action, permalink, State.DUE),
        audit_line.audit_line(operation, action, permalink),
        audit_line.audit_notice(operation.text or "x"),
        replies.receipt(Accepted(operation), VOCABULARY, action),
        replies.receipt(NotRecorded(operation.detail or "x"), VOCABULARY),
        replies.receipt(Help(operation.text), VOCABULARY),
        search_results.page(SearchPage(Search(), (operation,) * 15, older=True)),
    ):
        if not message.text:
            continue  # nothing visible was in it
        is_harmless(message)


@settings(max_examples=100)
@given(nasty, nasty, nasty, st.integers(0, 50), st.integers(0, 50))
@also("live <!channel>", 'There is no "<!channel>".', "live", 5, 15)
def test_parse_error_reply_escapes_quoted_text(
    text: str, sentence: str, suggestion: str, start: int, length: int
) -> None:
    """A parse error reply never renders markup from the text that it quotes."""
    error = ParseError(
        sentence or "x", text=text, start=start, end=start + length, suggestion=suggestion
    )

    message = replies.parse_error(error)

    if message.text:
        is_harmless(message)


def test_parse_error_reply_marks_position() -> None:
    """A parse error reply has a suggestion and carets under the mistake."""
    with pytest.raises(ParseError) as caught:
        parse("lvie stream1", verb=Effect.STOP, vocabulary=VOCABULARY, now=0.0)

    text = replies.receipt(Invalid(caught.value), VOCABULARY).text

    assert 'Did you mean "live"?' in text
    assert "lvie stream1\n^^^^" in text


@pytest.mark.parametrize("state", list(State))
def test_card_text_is_complete(state: State) -> None:
    """The text of a card names state, action, parameters, user, rule and region."""
    text = cards.card(replace(OPERATION, state=state, region="ap-singapore"), DROP).text

    assert text.startswith(state_text.STATE_TEXTS[state].label)
    for part in ("DropLiveStream", "`stream1`", "`push.example.com`", "<@U0ALICE>"):
        assert part in text
    assert "`roles.oncall.allow[0]`" in text
    assert "`ap-singapore`" in text


@pytest.mark.parametrize("state", [s for s in State if s is not State.ACCEPTED])
def test_replies_claim_success_only_when_accepted(state: State) -> None:
    """Only an accepted operation is described as accepted, stopped or done."""
    operation = replace(OPERATION, state=state, request_id="", duration=None)
    for message in (
        cards.card(operation, DROP),
        endings.ending(operation, DROP),
        replies.receipt(Accepted(operation), VOCABULARY, DROP),
    ):
        assert not re.search(r"\b(accepted|stopped|done)\b", message.text, re.IGNORECASE)


def test_outcome_of_drop_suggests_next_commands() -> None:
    """The outcome of a drop has the request ID, the duration and the next commands."""
    text = endings.ending(OPERATION, DROP).text

    assert "`8e50cdb5-56dc-408b-89b0-31818958d424`" in text
    assert "0.1 s" in text
    assert "`/stopstream ban stream1 domain=push.example.com`" in text
    assert "`/stopstream status live stream1 domain=push.example.com`" in text


def test_outcome_commands_can_be_parsed() -> None:
    """Every command that an outcome suggests can be parsed and has known values."""
    for action in ACTIONS:
        secret = {param.api for param in action.params if param.secret}
        params = {name: given for name, given in made_up(action).items() if name not in secret}
        regions = (action.regions or {}).get(action.product.site, ("",))
        region = "ap-singapore" if "ap-singapore" in regions else regions[0]
        operation = replace(
            OPERATION, api=action.api, params=params, region=region, state=State.UNKNOWN
        )
        offered = re.findall(
            r"`(/[a-z]+stream [^`]+)`",
            endings.ending(replace(operation, state=State.ACCEPTED), action).text
            + endings.ending(operation, action).text,
        )
        assert offered or not (action.status_read or "{" in action.afterwards)
        for text in offered:
            found = parse(text, verb=None, vocabulary=VOCABULARY, now=0.0)
            assert isinstance(found, Command)
            known = [*params.values(), "live"]
            assert all(given in known for given in found.params.values())


@given(
    st.text(
        alphabet=st.characters(codec="utf-8", exclude_characters="`»\u00ad\u200b\u200c\u200d"),
        min_size=1,
        max_size=30,
    ).filter(lambda t: t == t.strip() and t.isprintable() and "&" not in t and "<" not in t)
)
@also("a b=c")
@also('it\'s "x" y')
@also("--stream")
@also("https-1")
def test_format_command_round_trips_values(name: str) -> None:
    """A command formatted for any stream name is parsed back to that name."""
    if "://" in name or name in VOCABULARY.targets or "\u2060" in name or "\ufeff" in name:
        return
    text = mrkdwn.format_command(DROP, {"StreamName": name, "DomainName": "push.example.com"})
    if "[hidden]" in text:
        return

    found = parse(text, verb=None, vocabulary=VOCABULARY, now=0.0)

    assert isinstance(found, Command)
    assert found.params["StreamName"] == name


def test_status_read_shows_result_first() -> None:
    """A status read shows what it read before the details of the response."""
    operation = replace(
        OPERATION, api=READ.api, result={"StreamState": "active", "Other": [1, "<x>"]}
    )

    for message in (cards.card(operation, READ), endings.ending(operation, READ)):
        assert '`stream1` is `active`. `Other` is `[1, "&lt;x&gt;"]`.' in message.text
        assert message.text.index("is `active`") < message.text.index("Tencent Cloud answered")


def test_status_read_is_shown_as_answered() -> None:
    """A status read is shown as answered in its card, outcome, audit line and list."""
    operation = replace(OPERATION, api=READ.api, result={"StreamState": "active"})

    assert cards.card(operation, READ).text.startswith("Answered: ")
    assert "*Answered.*" in endings.ending(operation, READ).text
    assert audit_line.audit_line(operation, READ).text.startswith("Answered: ")
    assert replies.operation_line(operation).startswith("• Answered: ")


SINCE = "<!date^1704067200^{date_short_pretty} {time}|2024-01-01 00:00 UTC>"


def told(api: str, result: dict[str, Json], **params: Json) -> str:
    """Give the words of a read's ending, up to how long it took."""
    text = endings.ending(
        replace(OPERATION, api=api, params=params, result=result), by_api(api)
    ).text
    return text.partition("*Answered.* ")[2].partition(" Tencent Cloud answered")[0]


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


def test_parse_error_reply_has_example() -> None:
    """A parse error reply includes an example command."""
    with pytest.raises(ParseError) as caught:
        parse("ingest 12", verb=Effect.START, vocabulary=VOCABULARY, now=0.0)

    assert " For example: `/startstream ingest 1234 pullurl=rtmp://pull.example.com" in (
        replies.parse_error(caught.value).text
    )


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
        st.one_of(st.none(), st.integers(), nasty),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(nasty, inner, max_size=3)
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


def test_card_omits_approve_without_approvers() -> None:
    """A card has Approve and Deny buttons only if somebody may approve, now or later."""
    waiting = replace(
        OPERATION, state=State.WAITING, approval=Approval.SECOND_PERSON, approvals=Approvals()
    )
    later = replace(waiting, approvals=Approvals(escalates_to=("chiefs",)))

    assert labels(cards.card(waiting, DROP)) == ["Cancel"]
    assert labels(cards.card(later, DROP)) == ["Approve", "Deny", "Cancel"]


def labels(message: Message) -> list[str]:
    return [one["text"]["text"] for one in message.blocks[-1]["elements"]]


def test_outcome_of_failure_explains_error_code() -> None:
    """A failed operation shows the error code, its cause, the message and the next step."""
    operation = replace(
        OPERATION,
        state=State.FAILED,
        code="AuthFailure.SignatureExpire",
        error_message="The <b>timestamp</b> is too old",
        detail="This machine's clock is 400 s ahead of Tencent Cloud's.",
    )

    text = endings.ending(operation, DROP).text

    assert "`AuthFailure.SignatureExpire`" in text
    assert "five minutes off" in text
    assert "400 s ahead" in text
    assert "NTP" in text
    assert "`The &lt;b&gt;timestamp&lt;/b&gt; is too old`" in text
    assert operation.request_id in text


def test_outcome_unknown_suggests_status_read() -> None:
    """An unknown outcome states that it may have run and suggests a status read."""
    operation = replace(
        OPERATION, state=State.UNKNOWN, request_id="", detail="No answer within 10 s."
    )

    text = endings.ending(operation, DROP).text

    assert "it may have run" in text
    assert "No answer within 10 s." in text
    assert "`/stopstream status live stream1 domain=push.example.com`" in text


def test_outcome_already_done_is_stated() -> None:
    """A task that had already ended is described so, and the request ID is shown."""
    stop = by_api("StopStreamIngest")
    operation = replace(
        OPERATION, api=stop.api, state=State.ALREADY, code="FailedOperation.TaskFinished"
    )

    assert "The task had ended before." in cards.card(operation, stop).text
    assert operation.request_id in endings.ending(operation, stop).text


def test_replies_hide_secret_parameters() -> None:
    """Secret and undeclared parameter values are shown in no reply."""
    start = by_api("StartPublishStream")
    params = {"UserId": "u1", "PublishStreamArgs": "txSecret=abc", "Unheard": "of"}
    for state in State:
        operation = replace(OPERATION, api=start.api, params=params, state=state)
        for message in (
            cards.card(operation, start),
            endings.ending(operation, start),
            endings.private_reply(operation, start),
            audit_line.audit_line(operation, start),
            replies.receipt(Accepted(operation), VOCABULARY, start),
        ):
            assert "abc" not in str(message)
            assert "Unheard `of`" not in str(message)


def test_denial_states_that_nothing_was_sent() -> None:
    """A denial mentions channels by name and states that nothing was sent."""
    operation = replace(
        OPERATION, state=State.DENIED, detail="You may in C0INC. Ask someone in leads."
    )

    text = endings.private_reply(operation, DROP).text

    assert "You may in <#C0INC>. Ask someone in leads." in text
    assert text.endswith("Nothing was sent.")


def test_private_reply_contains_outcome() -> None:
    """A private reply has the request ID and states that only its recipient sees it."""
    text = endings.private_reply(OPERATION, DROP).text

    assert OPERATION.request_id in text
    assert "only you see this" in text


def test_audit_line_is_one_line() -> None:
    """An audit line is one line with the user, the channel and a link to the card."""
    line = audit_line.audit_line(OPERATION, DROP, "https://example.slack.com/archives/C0INC/p1")

    assert "\n" not in line.text
    assert "<@U0ALICE> in <#C0INC>" in line.text
    assert line.text.endswith("<https://example.slack.com/archives/C0INC/p1|card>")
    assert line.blocks == ()


def test_receipt_states_only_what_is_known() -> None:
    """A receipt states what was asked, and names a duplicate or a thread as such."""
    asked = replace(OPERATION, state=State.ASKED)

    assert replies.receipt(Accepted(asked), VOCABULARY, DROP).text.startswith("Asked: DropLive")
    again = replies.receipt(Accepted(asked, again=True), VOCABULARY, DROP).text
    assert "it runs once" in again
    in_thread = replace(asked, place=Place("C0INC", "1.5"))
    assert "this thread" in replies.receipt(Accepted(in_thread), VOCABULARY, DROP).text
    for reply in (Form(Effect.STOP), WhoAmI(), Audit()):
        assert replies.receipt(reply, VOCABULARY).text


# --- help ------------------------------------------------------------------------------


def test_help_examples_can_be_parsed() -> None:
    """Every example in the help is parsed without an error."""
    help_text = help_messages.help_on("", ACTIONS).text
    offered = [example(action) for action in ACTIONS]

    for text in (*offered, "/stopstream audit since=24h"):
        assert f"`{text}`" in help_text
        command = parse(text, verb=None, vocabulary=VOCABULARY, now=0.0)
        assert isinstance(command, Command | Audit)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: a.api)
def test_help_topic_describes_action(action: Action) -> None:
    """Help on an action has its purpose, its deprecation and all its parameters."""
    for topic in (action.words, action.api, action.api.upper()):
        message = help_messages.help_on(topic, ACTIONS)
        assert action.does in message.text
        assert action.deprecated in message.text
        for param in action.params:
            assert f"`{param.word}` or `{param.api}`" in message.text
        is_harmless(message)


@pytest.mark.parametrize("topic", ["live", "trtc", "CAR", "stop", "start", "status"])
def test_help_topic_lists_product_or_verb(topic: str) -> None:
    """Help on a product or a verb lists all of its actions."""
    message = help_messages.help_on(topic, ACTIONS)

    for action in ACTIONS:
        if topic.lower() in (action.product.name, action.effect.value):
            assert re.search(rf"\b{action.words}\b", message.text)
    is_harmless(message)


def test_help_overview_describes_every_action() -> None:
    """The help overview states the purpose of every action."""
    message = help_messages.help_on("", ACTIONS)
    blocks = "\n".join(block["text"]["text"] for block in message.blocks)

    assert all(action.does.partition(". ")[0] in blocks for action in ACTIONS)
    assert message.text.endswith("say `@stopstream stop live stream1`.")
    is_harmless(message)


def test_help_unknown_topic_lists_commands() -> None:
    """Help on an unknown topic says so and lists the available commands."""
    message = help_messages.help_on("lvie", ACTIONS)

    assert message.text.startswith("There is no help on `lvie`")
    assert "DropLiveStream" in message.text or "`/stopstream live" in message.text


def test_help_stays_within_slack_limits() -> None:
    """Help on ten times as many actions stays within the limits of Slack."""
    is_harmless(help_messages.help_on("", ACTIONS * 10))
    is_harmless(help_messages.help_on("live", ACTIONS * 10))


# --- who they are ----------------------------------------------------------------------

HOWS = tuple(
    Permission(action, approval, "StreamName prod-*", ("leads",))
    for action in ACTIONS[:10]
    for approval in (None, *Approval)
)


def test_whoami_lists_roles_and_permissions() -> None:
    """Whoami lists roles, permissions, and the roles that may do the rest."""
    message = rights.whoami(Permissions(Person("U0ALICE", "T0HOME"), ("oncall",), HOWS))

    assert "in the roles `oncall`" in message.text
    assert "• DropLiveStream at once" in message.text
    assert "after a second person" in message.text
    assert "`leads` may" in message.text
    is_harmless(message)


@pytest.mark.parametrize("flag", ["bot", "guest", "deactivated", "stranger"])
def test_whoami_explains_ineligible_user(flag: str) -> None:
    """Whoami explains why a bot, guest, deactivated or foreign user has no permission."""
    against: dict[str, Any] = {flag: True}
    person = replace(Person("U0ALICE", "T0HOME"), **against)

    text = rights.whoami(Permissions(person, (), HOWS)).text

    assert rights.INELIGIBLE[flag] in text
    assert "at once" not in text


# --- views -------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", list(Effect))
@pytest.mark.parametrize("api", ["", *(action.api for action in ACTIONS)])
def test_form_view_is_valid_for_slack(verb: Effect, api: str) -> None:
    """Every form is a valid view, and asks for a channel only if it has none."""
    for channel in ("", "C0INC"):
        view = views.form(views.FormPlace(verb, channel, "1.5"), VOCABULARY, api)

        assert blockkit.view_problems(view) == []
        blocks = {block.get("block_id") for block in view["blocks"]}
        assert (views.CHANNEL_BLOCK in blocks) == (not channel)


def test_form_view_prefills_defaults() -> None:
    """A form has a field for each parameter and prefills the defaults."""
    view = views.form(views.FormPlace(Effect.STOP, "C0INC"), VOCABULARY, "DropLiveStream")
    fields = {block.get("block_id"): block for block in view["blocks"]}

    assert {views.param_block(p.api) for p in DROP.params} <= set(fields)
    domain = fields["param:DomainName"]
    assert domain["element"]["initial_value"] == "push.example.com"
    assert domain["optional"] is True
    assert fields["param:StreamName"]["optional"] is False
    assert fields["param:AppName"]["element"]["initial_value"] == "live"


def test_form_view_limits_field_lengths() -> None:
    """A field has the maximum length of its type, and no default that exceeds it."""
    long = {"live": {"DomainName": "d" * 300}}
    place = views.FormPlace(Effect.STOP, "C0INC")
    view = views.form(place, replace(VOCABULARY, defaults=long), "ForbidLiveStream")
    fields = {block.get("block_id"): block.get("element", {}) for block in view["blocks"]}

    lengths = {name: fields[f"param:{name}"]["max_length"] for name in ("DomainName", "StreamName")}
    assert lengths == {"DomainName": 256, "StreamName": 1024}
    assert fields["param:Reason"]["max_length"] == 2048
    assert "initial_value" not in fields["param:DomainName"]


def test_form_view_prefills_domain_alias_but_no_secret() -> None:
    """A form prefills a domain under its alias, but never a secret default."""
    secret = {"car-url": {"PublishStreamURL": "rtmp://a.example.com/live2/5ECRE7"}}
    vocabulary = replace(VOCABULARY, defaults={**VOCABULARY.defaults, **secret})
    place = views.FormPlace(Effect.START, "C0INC")

    pad = json.dumps(views.form(place, vocabulary, "StartLivePadStream"))
    assert '"initial_value": "push.example.com"' in pad
    push = json.dumps(views.form(place, vocabulary, "StartPublishStreamWithURL"))
    assert "5ECRE7" not in push
    assert '"optional": true' in push


def test_form_view_offers_regions_of_site() -> None:
    """A form offers the regions of its site and preselects the default."""
    view = views.form(views.FormPlace(Effect.STOP, "C0INC"), VOCABULARY, "StopStreamIngest")
    (region,) = (b for b in view["blocks"] if b.get("block_id") == views.REGION_BLOCK)

    offered = {option["value"] for option in region["element"]["options"]}
    assert offered == set((by_api("StopStreamIngest").regions or {})["intl"])
    assert region["element"]["initial_option"]["value"] == "ap-singapore"


@given(
    st.builds(views.FormPlace, st.sampled_from(Effect), st.text(max_size=9), st.text(max_size=9))
)
def test_form_metadata_round_trips(place: views.FormPlace) -> None:
    """The metadata of a form is unpacked to the place that was packed."""
    assert views.decode_place(views.encode_place(place)) == place


@pytest.mark.parametrize(
    "metadata", ["", "{", "[]", '["stop"]', '["x","",""]', '["stop",1,2]', "1"]
)
def test_form_metadata_rejects_forged_value(metadata: str) -> None:
    """Forged form metadata is unpacked to None."""
    assert views.decode_place(metadata) is None


def test_home_tab_view_is_valid_for_slack() -> None:
    """The fullest and the emptiest home tab are valid views without untrusted markup."""
    standing = Permissions(Person("U0ALICE", "T0HOME"), ("oncall",) * 50, HOWS * 10)
    long = replace(OPERATION, request_id="x" * 5000, params={"StreamName": "&" * 5000})

    for view in (
        home_view.home(standing, [long] * 50),
        home_view.home(None, [], trouble="x" * 5000),
    ):
        assert blockkit.view_problems(view) == []
        for text in texts(view):
            assert "<" not in OURS.sub("", text)


def test_form_offer_has_button() -> None:
    """An offer of the form is a message with a button that opens it."""
    message = replies.form_offer(Effect.STOP)

    is_harmless(message)
    assert message.blocks[1]["elements"][0]["action_id"] == f"{replies.OPEN_FORM}:stop"
