"""Texts of many words cost no more than a text of few."""

from collections.abc import Container, Sequence

import pytest

from bot.commands.decoration import plain_tokens
from bot.commands.parser import LONGEST, MOST_WORDS
from bot.commands.tokens import Token
from bot.errors import ParseError
from bot.model.actions import Effect
from tests.support.commands import read

_PIECES = (
    "a ",
    "1 h ",
    "live ",
    "status ",
    "<@U1> ",
    "--a b ",
    "no ",
    "key-{} ",
    "a{}.b/c/d ",
    "a,{} ",
)


@pytest.mark.parametrize("begin", ["", "live ", "audit ", "hold ", "transcode ", "rtmp://a.b/c/"])
@pytest.mark.parametrize("piece", _PIECES)
@pytest.mark.parametrize("times", [MOST_WORDS - 3, LONGEST])
def test_offers_read_few_texts(
    begin: str, piece: str, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many words may be names, few commands are read to find those that are offered."""
    words: list[int] = []

    def counting(tokens: Sequence[Token], targets: Container[str]) -> list[Token]:
        words.append(len(tokens))
        return plain_tokens(tokens, targets)

    monkeypatch.setattr("bot.commands.parser.plain_tokens", counting)
    with pytest.raises(ParseError):
        read((begin + "".join(map(piece.format, range(times))))[:LONGEST], None)

    assert len(words) <= 60
    assert sum(words) <= 25 * MOST_WORDS


def test_text_of_many_words_is_not_read_on() -> None:
    """A text of more words than any command has is refused before they are looked at."""
    with pytest.raises(ParseError) as refused:
        read("live " + "a " * MOST_WORDS)

    assert str(refused.value).startswith(f"That is more than {MOST_WORDS} words.")
    assert refused.value.commands == ()


@pytest.mark.parametrize("many", ["a " * MOST_WORDS, "a" * LONGEST])
def test_text_too_long_shows_no_key(many: str) -> None:
    """What is shown of a text that is not read on holds no path of a URL, which may be a key."""
    with pytest.raises(ParseError) as refused:
        read(
            f"ingest room1 rtmp://push.example.com/live/opaque txSecret=opaque {many}", Effect.START
        )

    assert "opaque" not in f"{refused.value} {refused.value.text}"
    assert "room1" in refused.value.text
