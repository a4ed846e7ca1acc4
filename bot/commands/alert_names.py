"""The name after a label in an alert: `Stream: cam-7`, without what is around it; pure."""

import re
from dataclasses import dataclass

from bot.catalog.registry import ACTIONS
from bot.commands.alert_places import place_after
from bot.commands.sentences import WORDS
from bot.commands.several import is_shaped

# Non-ASCII punctuation and scripts without spaces: no URL contains them unescaped, and a name in
# Latin letters ends there.
WIDE = "\u2010-\u205f\u2e80-\uffef"
NO_NAME = "\0"
"""Replaces a URL, so that the text after it is not taken for the name of a label."""
SIGNS = (
    "`\"'*~\\\u201c\u201d\u2018\u2019\u00ab\u00bb()[]{}<>|\u2022"
    "\u300c\u300d\u300e\u300f\u3010\u3011"
)
"""Signs around a name."""
MARKS = r"\s" + re.escape(SIGNS)
_LITERAL = '"`\u201c\u300c\u300e'
"""Signs after which a name is written as it is."""
_NAME = re.compile(rf"(?:[{MARKS}]|[_-](?=\s))*((?:(?![{WIDE}])[\w.:/-])+)[{MARKS}_]*([=+@#$%^]?)")
_WIDE_NAME = re.compile(
    rf"[{MARKS}]*([\w.-]{{1,100}})(?=[{MARKS}]|[,;\u3001\u3002\uff08\uff0c\uff1b]|\Z)"
)
_WIDE_LETTER = re.compile(rf"(?=[{WIDE}])\w")
# Short codes of emoji, as Slack writes them, and emoji themselves.
_CODE = r":[a-z0-9_+'-]{1,60}:"
_EMOJI_BEFORE = re.compile(
    rf"(?:[{MARKS}]*(?:{_CODE}|[\u2300-\u27bf\u2b00-\u2bff\ufe0f\u200d\U0001f000-\U0001faff]))*",
    re.IGNORECASE,
)
_EMOJI_AFTER = re.compile(rf"(?<=[^:\s])(?:\s*{_CODE})+[\s.]*\Z", re.IGNORECASE)
_CODE_AND_NAME = re.compile(r"[a-z0-9_+'-]{1,60}:\s*([\w.-]+)", re.IGNORECASE)
_TIME = re.compile(r"(?:\d{4}-\d\d-\d\dT)?\d{1,2}:\d\d(?::\d\d)?(?:\.\d+)?Z?")
_OTHER_LABEL = re.compile(r"[A-Za-z][A-Za-z_-]*:")
_FAR = 600
"""Characters after a label in which its name is searched."""
_QUOTED_NAME = re.compile(r"[\s*_>]*(?:\"([^\"\n\\]+)\"|`([^`\n]+)`|\u201c([^\u201d\n]+)\u201d)")
_WORDS_ALONE = re.compile(rf"[{MARKS}]*(\w+(?: \w+){{1,3}})[{MARKS}]*")
_HAPPENED = frozenset(
    """
    aborted alert alerting appeared began buffering closed connected crashed critical dead degraded
    died disconnected dropped ended expired failed failing firing flapping frozen gone idle inactive
    interrupted lagging lost missing published publishing pushed pushing reconnected recovered
    rejected resolved restarted stalled started starting stuck terminated timeout unavailable
    unhealthy unpublished unreachable unstable warning
    """.split()  # noqa: SIM905
)
"""What alerts say of a stream right after its name."""
# Words after a label that are no name: another label, or a word for nothing.
NO_NAMES = frozenset(
    {name.casefold() for a in ACTIONS for p in a.params for name in (p.api, p.word)}
    | {"null", "none", "nil", "n/a", "unknown", "true", "false", "status", "state", "time"}
    | {"host", "server", "node", "name", "id", "bitrate", "fps", "error", "severity", "value"}
    | {"adv_stream", "simple_stream"}
    | {"down", "up", "offline", "online", "active", "inactive", "ok", "all"}
)
_HAPPENED_WIDE = (
    *(
        "\u65ad\u6d41",
        "\u4e2d\u65ad",
        "\u5f02\u5e38",
        "\u5361\u987f",
        "\u79bb\u7ebf",
        "\u6389\u7ebf",
    ),
    *(
        "\u544a\u8b66",
        "\u6062\u590d",
        "\u5931\u8d25",
        "\u63a8\u6d41",
        "\u6b63\u5e38",
        "\u505c\u6b62",
    ),
    *(
        "\u914d\u4fe1\u505c\u6b62",
        "\u5207\u65ad",
        "\u65e0",
        "\u7a7a",
        "\u672a\u77e5",
        "\u306a\u3057",
        "\u4e0d\u660e",
    ),
)
"""The same in Chinese and Japanese, where no space is between, and words for nothing."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a label names.

    Attributes:
        names: A name, and before it the whole line if that may be a name of several words.
        end: Where the name ends in the text.
    """

    names: tuple[str, ...]
    end: int


def find_name(text: str, at: int, *, is_id: bool) -> Found | None:
    """Return the name after a label on its line, or alone on the next line.

    Args:
        at: Where the label ends.
        is_id: It is an id that may begin and end with any of `-_`, which are no markup then.
    """
    here, _, below = text[at : at + _FAR].partition("\n")
    if text[at - 2 : at] == "::" and (code := _CODE_AND_NAME.match(here)) and is_shaped(code[1]):
        # The second colon may begin the short code of an emoji.
        return None
    begin = at + _emoji_before(here)
    alone = not re.sub(rf"[{MARKS}_]", "", text[begin : at + len(here)])
    line = text[begin : at + len(here)]
    quoted = _QUOTED_NAME.match(line)
    if quoted is not None and " " in (name := next(filter(None, quoted.groups())).strip()):
        is_name = "://" not in name and NO_NAME not in name
        return Found((name,), begin + quoted.end()) if is_name else None
    if alone:
        begin = at + len(here) + 1 + len(below) - len(below.lstrip())
        line = below.lstrip().partition("\n")[0]
        begin, line = begin + _emoji_before(line), line[_emoji_before(line) :]
    return _named(text, line, begin, alone=alone, is_id=is_id)


def _emoji_before(line: str) -> int:
    found = _EMOJI_BEFORE.match(line)
    return found.end() if found else 0


def _named(text: str, line: str, begin: int, *, alone: bool, is_id: bool) -> Found | None:
    """Return the name at the beginning of a line; None if there is none, or it is unclear."""
    line = _EMOJI_AFTER.sub("", line)
    found = _NAME.match(line) or _WIDE_NAME.match(line)
    if found is None or (alone and found.end() < len(line.rstrip())):
        return None
    end = begin + found.end(1)
    if found.re is _NAME and found[2] and not (found[2] == "@" and place_after(text, end)):
        return None
    if alone and _OTHER_LABEL.match(found[1]):
        return None
    value = _bare(found, is_id=is_id)
    if not _is_name(value, line[found.end(1) :]):
        return None
    words = "" if alone else _words(line, value)
    return Found((words, value) if words else (value,), end)


def _bare(found: re.Match[str], *, is_id: bool) -> str:
    """Return a name without markup and what ends a sentence; empty if it is unclear."""
    value, before = found[1], found.string[: found.start(1)][-1:]
    if before and before in _LITERAL:
        return value.strip("/")
    value = _EMOJI_AFTER.sub("", value).strip(".:/")
    if value.startswith("_") and value.endswith("_"):
        return "" if is_id else value.strip("_")
    return value


def _is_name(value: str, after: str) -> bool:
    """Return whether a value may be a name, with what stands right after it."""
    if value.casefold() in NO_NAMES or _TIME.fullmatch(value) or value.endswith(_HAPPENED_WIDE):
        return False
    if _WIDE_LETTER.match(after) and not (is_shaped(value) or after.startswith(_HAPPENED_WIDE)):
        return False
    return any(map(str.isalnum, value))


def _words(line: str, value: str) -> str:
    """Return the whole line after a label, if it may be a name of several words; or nothing."""
    found = _WORDS_ALONE.fullmatch(line)
    if found is None or is_shaped(value):
        return ""
    first, *others = found[1].split(" ")
    said = {word.casefold() for word in others}
    return "" if first != value or said & (WORDS | NO_NAMES | _HAPPENED) else found[1]
