"""Tokens: quotes, escapes and unusual spaces."""

import pytest

from bot.commands.formatting import format_command
from tests.support.commands import (
    STREAM,
    command,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'it's late'", "it's late"),
        ("‘it’s late’", "it’s late"),
        ("„late“", "late"),
        ("«late at night»", "late at night"),
        ('"a"\'"\'"b"', 'a"b'),
        ("“a\u00a0b”", "a b"),
        ('"use `x` now"', "use `x` now"),
        ("`late`", "late"),
        ("late.", "late."),
        ("a&amp;b", "a&b"),
        ("&amp;amp;", "&amp;"),
        ('"a &copy b"', "a &copy b"),
        ("&lt;!here&gt;", "<!here>"),
        ("<@U1|bob>", "@U1"),
        ("<#C1|general>", "#C1"),
        ("<mailto:a@b.c|a@b.c>", "a@b.c"),
        ("<tel:123|123>", "123"),
        ("<http://a.b/c|here>", "http://a.b/c"),
        ("<https://a.b/c|a.b/c>", "a.b/c"),
        ("\ud800", "\ufffd"),
    ],
)
def test_tokenizer_unescapes_value_as_typed(text: str, value: str) -> None:
    """A value is what the user typed, after quotes and Slack's escapes are undone."""
    assert command(f"ban stream1 reason={text}").params["Reason"] == value


@pytest.mark.parametrize(
    "text",
    ["`live stream1`", "```live stream1```", "live `stream=stream1`", "live --stream `stream1`"],
)
def test_tokenizer_ignores_backticks(text: str) -> None:
    """Backticks around a command or a part of it do not change its meaning."""
    assert dict(command(text).params) == STREAM


@pytest.mark.parametrize("name", ["stream1.", "live/stream1", "a:", "!"])
def test_parser_keeps_quoted_name_unchanged(name: str) -> None:
    """A quoted stream name is kept unchanged, also after formatting and parsing again."""
    for text in (f'live "{name}"', f'live stream="{name}"'):
        assert command(text).params["StreamName"] == name
    assert command(format_command(command(f'live "{name}"'))).params["StreamName"] == name
