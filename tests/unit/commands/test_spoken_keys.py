"""A key that is told in words, or cut by a line break, is in no mistake and on no button."""

import pytest

from bot.commands.diagnostics import caret
from bot.errors import ParseError
from bot.model.actions import Effect
from tests.support.commands import DOMAIN, read
from tests.unit.commands.test_several import _WITH_HOLDS

_KEY = "5ECRE7-key"
_URL = f"rtmp://{DOMAIN}/live/stream1?txSecret="


def _said(text: str, verb: Effect | None) -> str:
    """Return all that the answer to a mistake shows."""
    with pytest.raises(ParseError) as caught:
        read(text, verb, _WITH_HOLDS)
    error = caught.value
    return f"{error.sentence}\n{caret(error, 400)}\n{error.suggestion}\n{error.commands}"


@pytest.mark.parametrize("verb", [Effect.STOP, None])
@pytest.mark.parametrize(
    "words",
    [
        *("txSecret: KEY", "txSecret KEY", "txSecret = KEY", "key KEY", "key: KEY", "key is KEY"),
        *("密钥：KEY", "密钥 KEY", "串流密钥: KEY", "Schlüssel KEY", "ключ KEY", "clé : KEY"),
        *("stream-key KEY", 'args "KEY"', "args 'KEY", "token *KEY*!", "Password: (KEY)"),
        *("key KEY now", "with the key KEY because it leaks"),
    ],
)
@pytest.mark.parametrize(
    "begin",
    ["live stream1", "take stream1 down", "car u1", "hold live stream1 reason=x", "stream1"],
)
def test_word_after_the_name_of_a_key_is_hidden(
    begin: str, words: str, verb: Effect | None
) -> None:
    """What people write after `key` or its like is taken for a key, in any sentence."""
    assert _KEY not in _said(f"{begin} {words.replace('KEY', _KEY)}", verb)


@pytest.mark.parametrize("verb", [Effect.STOP, None])
@pytest.mark.parametrize(
    "begin", ["live ", "ban ", "take ", "hold live ", "", "car ", "start car "]
)
@pytest.mark.parametrize(
    "cut",
    [
        *(f"{_URL}\nKEY", f"{_URL}abc-\nKEY", f"{_URL}\n KEY down", f"{_URL}abc-\r\nKEY-\nKEY"),
        *(f"{_URL[:-4]}\nret=KEY", f"{_URL}abc&txTime=\nKEY", f"<{_URL}abc-\nKEY>"),
        "stream1?txSecret=\nKEY",
    ],
)
def test_rest_of_a_key_that_a_line_break_cut_is_hidden(
    begin: str, cut: str, verb: Effect | None
) -> None:
    """The line after an address that ends in its key is part of the key."""
    text = f"{begin}{cut.replace('KEY', _KEY)}"
    try:
        read(text, verb, _WITH_HOLDS)
    except ParseError:
        assert _KEY not in _said(text, verb)


def test_line_after_a_whole_address_is_shown() -> None:
    """A line break after an address without a key cuts none."""
    assert "stream2" in _said(f"live rtmp://{DOMAIN}/live/stream1\nstream2", Effect.STOP)


@pytest.mark.parametrize("text", ["live txSecret", "live key", "live args for 30m"])
def test_name_of_a_key_alone_may_be_a_stream(text: str) -> None:
    """A text that is understood stays as it was."""
    assert read(text).target == text.split()[1]
