"""The caret line of a parse error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.commands.diagnostics import caret
from bot.errors import ParseError


@pytest.mark.parametrize(
    ("text", "start", "end", "shown"),
    [
        ("live strem1 domain=", 5, 11, "live strem1 domain=\n     ^^^^^^"),
        ("live", 4, 4, "live\n    ^"),
        ("a\nb\x1bc", 2, 3, "a␊b␛c\n  ^"),
        ("舞台 x", 3, 4, "舞台 x\n     ^"),
        ("e\u0301 x", 3, 4, "e\u0301 x\n  ^"),
        ("", 0, 0, "\n^"),
    ],
)
def test_caret_underlines_error_span(text: str, start: int, end: int, shown: str) -> None:
    """The caret line underlines the error's span, also below wide or control characters."""
    assert caret(ParseError("x", text=text, start=start, end=end)) == shown


@given(st.text(max_size=300), st.integers(0, 300), st.integers(0, 300))
def test_caret_excerpts_long_text_around_span(text: str, start: int, length: int) -> None:
    """A long text is cut to at most 74 characters around the error's span."""
    start = min(start, len(text))
    error = ParseError("x", text=text, start=start, end=min(start + length, len(text)))

    line, under = caret(error).split("\n")

    assert len(line) <= 74
    assert set(under) <= {" ", "^"}
    assert "^" in under
