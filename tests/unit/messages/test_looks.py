"""Each state looks the same in every message, and what matters differs at a glance."""

import re

from bot.model.operations import State
from handlers.messages.looks import Look
from handlers.messages.state_text import STATE_TEXTS
from tests.support.paths import ROOT
from tests.tools import gallery_cards, gallery_replies
from tests.tools.gallery import lines_of

EMOJI = re.compile(
    "[\u21a9\u21aa\u2300-\u23ff\u25a0-\u27bf\u2b00-\u2bff\U0001f300-\U0001faff]\ufe0f?"
)
# What stands between an emoji and its word where the word is not the first.
SENT_BY_VERB = {Look.STOP_SENT, Look.SENT}
ASKS = "✋ *Ban `"
"""A confirmation asks by its deed: there is no shorter word for it."""
NO_STATE = {"✓", "✔"}


def shown() -> list[str]:
    entries = (*gallery_cards.entries(), *gallery_replies.entries())
    return [line for entry in entries for line in lines_of(entry.shown)]


def test_looks_of_what_differs_for_the_reader_differ() -> None:
    """What waits, runs, went well, is off, live, failed, unknown, denied or over: all differ."""
    kinds = (
        Look.APPROVAL,
        Look.SENDING,
        Look.STOP_SENT,
        Look.SENT,
        Look.OFF,
        Look.LIVE,
        Look.FAILED,
        Look.UNKNOWN,
        Look.DENIED,
        Look.CANCELLED,
        Look.NOTHING_LIVE,
    )
    assert len({look.emoji for look in kinds}) == len(kinds)
    # Two that are each other's outline, or turn, are one at a glance.
    for alike in ({"⏳", "⌛"}, {"❓", "❔"}, {"❌", "✖️"}, {"🚫", "⛔"}):
        assert len(alike & {look.emoji for look in Look}) <= 1, alike


def test_every_state_has_a_look() -> None:
    """The table of states names the look of each, and what waits for a press looks alike."""
    assert set(STATE_TEXTS) == set(State)
    assert {row.look for row in STATE_TEXTS.values()} <= set(Look)


def test_every_emoji_in_a_message_stands_before_its_word() -> None:
    """In everything that the bot says, an emoji is one of the table, with its word after it."""
    words = {look.emoji: [one.word for one in Look if one.emoji == look.emoji] for look in Look}
    found = 0
    for line in shown():
        for match in EMOJI.finditer(line):
            if match[0] in NO_STATE:
                continue
            found += 1
            assert match[0] in words, line
            after = re.sub(r"@\w+ ", "", line[match.end() :]).lstrip(" *")
            verbs = {look.emoji for look in SENT_BY_VERB}
            named = after.startswith((*words[match[0]], "Nothing is live"))
            by_verb = match[0] in verbs and re.match(r"\w+ sent: ", after)
            denied = match[0] == Look.FAILED.emoji and after.startswith("Not ")
            assert named or by_verb or denied or ASKS in line, line
    assert found > len(Look)


def test_no_message_has_an_emoji_of_its_own() -> None:
    """The code of the messages takes every emoji from the table."""
    for file in sorted((ROOT / "handlers").rglob("*.py")):
        own = {*EMOJI.findall(file.read_text())} - NO_STATE
        assert file.name == "looks.py" or not own, f"{file.name}: {own}"
