"""The action that a word names under a verb."""

import pytest

from bot.catalog.registry import by_api
from bot.errors import ParseError
from bot.model.actions import Effect
from tests.support.commands import DOMAIN, MADE, command, read


def test_parser_asks_for_verb_in_mention() -> None:
    """A mention without a verb is refused, and the error names the verb to write."""
    with pytest.raises(ParseError, match='"stop live"'):
        read("live stream1", None)


def test_parser_finds_api_name_under_every_verb() -> None:
    """A full API name selects its action whatever the verb is."""
    for verb in (None, Effect.STOP, Effect.START):
        assert command("ResumeLiveStream StreamName=stream1", verb).action is by_api(
            "ResumeLiveStream"
        )


def test_parser_requires_api_name_for_action_without_verb() -> None:
    """An action that no verb reaches must be called by its API name."""
    with pytest.raises(ParseError, match='"BendMade"'):
        read("bend x", None, MADE)
    with pytest.raises(ParseError, match="/stopstream BendMade"):
        read("bend x", Effect.STOP, MADE)
    with pytest.raises(ParseError, match="not offered on the intl site"):
        read("BendMade", Effect.STOP, MADE)


def test_parser_status_of_stop_api_returns_read() -> None:
    """Asking for the status of a stopping API gives its read, not the stop."""
    assert command("status DropLiveStream stream1").action.api == "DescribeLiveStreamState"


def test_parser_recognizes_stream_url_without_scheme() -> None:
    """A bare stream URL without a scheme is recognized, and the parser asks for an action."""
    with pytest.raises(ParseError, match="Say first what to do with this address"):
        read(f"{DOMAIN}/live/stream1")
