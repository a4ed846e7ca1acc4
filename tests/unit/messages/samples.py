"""Operations, untrusted text and checks that the tests of messages share."""

import re
from collections.abc import Sequence

from hypothesis import strategies as st

from bot.catalog.registry import ACTIONS, by_api
from bot.commands.vocabulary import Vocabulary
from bot.model.actions import Approval, Reading
from bot.model.commands import Via
from bot.model.operations import (
    UNREADABLE,
    Approvals,
    GivenApproval,
    LiveBefore,
    Operation,
    Origin,
    Preview,
    State,
)
from bot.model.people import Actor, Place
from bot.policy.explanation import Permission
from bot.sandbox.slack import block_kit as blockkit
from handlers.messages.blocks import Message

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
    r"|!date\^\d+\^(?:\{date_short_pretty\} )?\{time\}\|[0-9: -]+UTC"
    r"|!subteam\^S[A-Z0-9]{1,31}"
    r"|https://[A-Za-z0-9.:/?=&_%-]+\|(?:(?:its )?card|open)"
    r"|https://console\.[a-z.]+/[a-z/]*\|the console"
    r"|https://[A-Za-z0-9.:/?=&;_%~#+,!-]+\|runbook)>"
)


ENTITY = re.compile(r"&(?:amp|lt|gt);")


def texts(found: object) -> list[str]:
    """Return every text in a message, block or view."""
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


untrusted = st.one_of(
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


approvals = st.builds(
    Approvals,
    needed=st.integers(1, 9),
    roles=st.lists(untrusted, max_size=12).map(tuple),
    people=st.lists(st.one_of(untrusted, st.just("S0LEADS")), max_size=30).map(tuple),
    given=st.lists(st.builds(GivenApproval, untrusted, st.floats()), max_size=3).map(tuple),
    break_glass_rule=untrusted,
    request_from=st.lists(untrusted, max_size=3).map(tuple),
    lacking=untrusted,
)


previews = st.builds(
    Preview,
    live_instead=st.lists(st.fixed_dictionaries({"StreamName": untrusted}), max_size=1).map(tuple),
    state=untrusted,
    state_at_press=untrusted,
    domains=st.lists(untrusted, max_size=5).map(tuple),
    readings=st.lists(
        st.builds(
            Reading,
            st.sampled_from(["Live since {}, pushed to {}.", "Among them: {}.", "Not read."]),
            st.lists(st.one_of(untrusted, st.floats()), max_size=3).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
)


origins = st.builds(Origin, request_of=st.sampled_from(["", "op0"]))


operations = st.builds(
    Operation,
    # Made by us, so it is a plain word.
    id=st.just("w5akwi4hgk42u7bi"),
    key=untrusted,
    state=st.sampled_from(State),
    actor=st.builds(Actor, untrusted, untrusted),
    place=st.builds(Place, untrusted, untrusted),
    via=st.sampled_from(Via),
    text=untrusted,
    asked_at=st.floats(),
    api=st.one_of(untrusted, st.sampled_from([action.api for action in ACTIONS])),
    params=st.dictionaries(
        st.one_of(untrusted, st.sampled_from(["StreamName", "DomainName", "TaskId", "UserId"])),
        st.one_of(
            untrusted, st.integers(), st.booleans(), st.none(), st.lists(untrusted, max_size=3)
        ),
        max_size=30,
    ),
    region=untrusted,
    account=untrusted,
    rule=untrusted,
    detail=untrusted,
    attempts=st.integers(0, 9),
    request_id=untrusted,
    code=untrusted,
    error_message=untrusted,
    result=st.dictionaries(untrusted, st.one_of(untrusted, st.integers(), st.none()), max_size=15),
    duration=st.one_of(st.none(), st.floats(allow_nan=False)),
    card_ts=untrusted,
    approval=st.sampled_from(Approval),
    approvals=approvals,
    preview=previews,
    origin=origins,
    expires_at=st.one_of(st.none(), st.floats()),
    decided_by=untrusted,
    decided_at=st.one_of(st.none(), st.floats()),
    reason=untrusted,
    emergency=st.booleans(),
    duplicate_of=st.sampled_from(["", "op2"]),
    case=untrusted,
    runbook=st.one_of(untrusted, st.just("https://wiki.example.com/a?b=1&c=2#d")),
    live_before=st.one_of(st.none(), st.sampled_from(LiveBefore)),
    live_now=st.lists(
        st.fixed_dictionaries({"StreamName": untrusted, "DomainName": untrusted}), max_size=5
    ).map(tuple),
    verified_state=st.one_of(untrusted, st.sampled_from(["active", "inactive", UNREADABLE])),
)


PERMISSIONS = tuple(
    Permission(action, approval, "StreamName prod-*", ("leads",))
    for action in ACTIONS[:10]
    for approval in (None, *Approval)
)
