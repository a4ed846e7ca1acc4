"""Every regular expression takes time that grows with the text, not with its square."""

import re

import pytest

from tests.support.growth import MOST, TIMES, growth
from tests.support.paths import ROOT
from tests.support.patterns import Used, every_pattern, hostile, unread

_SHORT = 250
_PACKAGES = sorted(
    f"{top}.{found.stem}"
    for top in ("bot", "handlers")
    for found in (ROOT / top).iterdir()
    if not found.name.startswith("__")
)


def slowest(used: Used) -> tuple[float, tuple[str, str, str]]:
    """Return by how much the hostile text that grows the most does, and the text's parts."""
    return max(
        (growth(used.run, _text(parts, _SHORT), _text(parts, _SHORT * TIMES)), parts)
        for parts in hostile(used.pattern)
    )


def _text(parts: tuple[str, str, str], size: int) -> str:
    before, repeated, end = parts
    return before + repeated * (size // len(repeated) + 1) + end


@pytest.mark.parametrize("package", _PACKAGES)
def test_pattern_takes_linear_time(package: str) -> None:
    """Eight times a text made of the pattern takes about eight times as long."""
    found = {used.name: slowest(used) for used in every_pattern(package)}

    assert {name: one for name, one in found.items() if one[0] >= MOST} == {}


def test_patterns_are_seen() -> None:
    """All patterns are tried but those of which only a call knows the whole."""
    assert len(every_pattern("bot") + every_pattern("handlers")) > 100
    assert unread() == {
        # Between fixed texts stands the name of a user, a scheme, or the kind of an id.
        "bot.catalog.param_types: f'(?:{schemes})://[^\\\\s/]+(?:/\\\\S*)?'",
        "bot.cli.slack_ids: f'[{first}][A-Z0-9]+'",
        "handlers.listeners.mentions: f'<@{re.escape(bot_user)}(?:\\\\|[^<>]*)?>'",
        # These are parts of patterns that are tried.
        "bot.commands.alerts: of",
        "bot.redact: f'(?:(?!{level}2[26])[^\\\\s&\"<>|])*'",
        "bot.times: words",
    }


@pytest.mark.parametrize(
    ("pattern", "way"),
    [
        *((r"<d\^[^|>]*\|([^>]*)>", "sub"), (r"\{[^}]*\}", "sub"), (r"\w+@\w+", "findall")),
        *((r"a[\w.]*[_-][\w-]*\d", "match"), (r"\s*\n\s*x", "match"), (r"[a-z]+://", "search")),
    ],
)
def test_slow_pattern_is_found(pattern: str, way: str) -> None:
    """Patterns whose time grows with the square are found by the texts that are made of them."""
    growths = (
        growth(used.run, _text(parts, _SHORT), _text(parts, _SHORT * TIMES))
        for used in [Used("slow", re.compile(pattern), frozenset({way}))]
        for parts in hostile(used.pattern)
    )
    assert any(one >= MOST for one in growths)
