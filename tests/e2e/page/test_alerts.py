"""The demo's page: an alert of a monitoring system, and a picture that was flagged."""

import pytest

from bot.cli.demo import DOMAIN
from tests.support.page_window import Eyes

THING = {"kind": "stream", "key": ["stream1", DOMAIN, "live"]}


@pytest.mark.parametrize(
    ("what", "words"),
    [("flag", "Suggestive content in the picture"), ("alert", "Black picture on stream1")],
)
async def test_page_shows_what_it_sends(alice: Eyes, what: str, words: str) -> None:
    """A button on a stream's tile sends it to the bot, and its card appears in the channel."""
    await alice.do("thing", **THING, do=what)
    await alice.until(lambda: alice.saying(words))
