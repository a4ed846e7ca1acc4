"""Untrusted text is escaped; commands that are rendered can be parsed."""

import re
import sys
from types import FrameType

import pytest
from hypothesis import example as also
from hypothesis import given
from hypothesis import strategies as st

from bot.catalog.param_types import is_invisible
from bot.commands.parser import parse
from bot.model.commands import Command
from handlers.messages import (
    mrkdwn,
)
from tests.unit.messages.samples import DROP, ENTITY, OURS, VOCABULARY, untrusted


@given(untrusted, st.integers(10, 400))
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


@given(untrusted, st.integers(10, 400))
def test_mrkdwn_code_is_one_span(text: str, most: int) -> None:
    """Text in a code span cannot leave the span or exceed the requested length."""
    shown = mrkdwn.code(text, most)

    assert shown == "(empty)" or re.fullmatch(r"`[^`\n<>]+`", shown)
    assert len(shown) + sum(c > "\uffff" for c in shown) <= most + 2
    assert "&" not in ENTITY.sub("", shown)


@given(untrusted)
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


@given(untrusted)
def test_mrkdwn_mentions_only_valid_ids(text: str) -> None:
    """Only a valid Slack ID is rendered as a user or channel mention."""
    for shown in (mrkdwn.user(text), mrkdwn.channel(text)):
        assert OURS.fullmatch(shown) or shown == "a direct message" or "<" not in shown


@given(untrusted)
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
@also("TY")
@also("now")
def test_format_command_round_trips_values(name: str) -> None:
    """A command formatted for any stream name is parsed back to that name."""
    if "://" in name or name in VOCABULARY.targets or any(map(is_invisible, name)):
        return
    text = mrkdwn.format_command(DROP, {"StreamName": name, "DomainName": "push.example.com"})
    if "[hidden]" in text:
        return

    found = parse(text, verb=None, vocabulary=VOCABULARY, now=0.0)

    assert isinstance(found, Command)
    assert found.params["StreamName"] == name


def as_slack_counts(text: str) -> int:
    return sum(1 + (char > "\uffff") for char in text)


@given(st.text(st.sampled_from("aé…😀𝕏\ud83d\ude00"), max_size=40), st.integers(1, 40))
def test_mrkdwn_truncate_keeps_as_much_as_fits(text: str, most: int) -> None:
    """What is cut is as long as Slack's count lets it be, whatever the width of its characters."""
    kept = mrkdwn.truncate(text, most)

    if as_slack_counts(text) <= most:
        assert kept == text
        return
    begin = kept.removesuffix(mrkdwn.ELLIPSIS)
    assert kept.endswith(mrkdwn.ELLIPSIS)
    assert text.startswith(begin)
    assert as_slack_counts(kept) <= most < as_slack_counts(text[: len(begin) + 1]) + 1


@pytest.mark.parametrize("char", ["a", "é", "😀"])
def test_mrkdwn_counts_no_characters_one_by_one(char: str) -> None:
    """A text ten times as long takes no more steps to count, to escape or to cut."""

    def steps(length: int) -> int:
        count = 0

        def note(_frame: FrameType, _event: str, _arg: object) -> None:
            nonlocal count
            count += 1

        before = sys.getprofile()
        sys.setprofile(note)
        try:
            mrkdwn.truncate(char * length, length * 10)
            mrkdwn.truncate(char * length, length // 2)
            mrkdwn.escape("a<" * length, length * 20)
        finally:
            sys.setprofile(before)
        return count

    few = steps(100)

    assert steps(1000) <= 2 * few + 40
