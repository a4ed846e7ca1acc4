"""Texts made to be taken for something else: markup, control characters, half characters, keys."""

import random
from collections.abc import Iterator

_MARKUP = (
    *("<!channel>", "<!here|x>", "<@U0VICTIM>", "<#C0AUDIT|audit>", "<http://evil.example|click>"),
    *("<mailto:a@b.c|x>", "<!subteam^S0ONCALL>", "<!date^1^{date}^http://evil.example|x>"),
    *("*bold*", "_it_", "~gone~", "`code`", "```\nblock\n```", "> quote", ":boom:"),
    *("&lt;!here&gt;", "&lt;@U0VICTIM&gt;", "&amp;lt;!channel&amp;gt;", "@channel", "«»"),
)
_CHARACTERS = (
    *("\u202e", "\u2066", "\u200b", "\ufeff", "\x00", "\x1b[31m", "\x1b]8;;http://evil\x07"),
    *("\x7f", "\x9b31m", "\r\n", "\n\n", "\t", "\u2028", "\u0085", "\u0301" * 20),
    *("\U0001f4a3", "\ud800", "\udfff", "\U000e0041", "\u2800"),
)
_SYNTAX = (
    *("rtmp://a/b?txSecret=", "key=opaque", "--token opaque", "auth--", "streams:", "AKID" * 9),
    *("'", '"', "“", "\\", "\\u0000", "%00", "%3C!channel%3E", "${jndi:x}", "{{7*7}}", "=1+1"),
    *("../../etc/passwd", "; DROP TABLE trail", "-" * 40, "=", "domain=", "for=", "x" * 300),
    *("@SUM(A1)", "+cmd|' /C calc'!A0", "%s%n", "\\x1b[31m"),
)
_BEGINS = (
    "",
    "live ",
    "ban ",
    "lvie ",
    "help ",
    "audit target=",
    "ingest ",
    "status live ",
    "hold ",
)

MARKUP = (
    *("<!channel", "<!here", "<!subteam", "<@U0VICTIM", "<http://evil", "<!date^1^{date}"),
    *("<mailto:a@b.c", "<#C0AUDIT|"),
)
"""None of these may be in what Slack reads as markup: it would be obeyed."""

UNSEEN = ("\u202e", "\u2066", "\u200b", "\ufeff", "\x00", "\x1b", "\x07", "\x7f", "\x9b", "\ud800")
"""None of these may be shown at all: they change what others read, or what a terminal does."""

_LONGEST = 100_000


def hostile_texts(count: int, seed: int) -> Iterator[str]:
    """Yield texts, one in a hundred of them up to 100,000 characters long.

    They are the same for the same seed.
    """
    chosen = random.Random(seed)  # noqa: S311 (repeatable)
    for number in range(count):
        kinds = (_MARKUP, _CHARACTERS, _SYNTAX)
        pieces = [chosen.choice(chosen.choice(kinds)) for _ in range(chosen.randint(1, 8))]
        text = chosen.choice(_BEGINS) + chosen.choice(("", " ")).join(pieces)
        yield (text * chosen.choice((5000, 50)))[:_LONGEST] if number % 100 == 0 else text
