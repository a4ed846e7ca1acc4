"""Removes stream keys and secrets from text for people, logs and the audit log.

Where it is unclear how far a value goes, more is hidden rather than less.
"""

import re

HIDDEN = "[hidden]"

# These give a secret away wherever they end a name, as in `txSecret` and `X-TC-Token` …
_ANYWHERE = (
    "secret(?:[_-]?(?:key|id))?|token|password|passwd|passphrase|signature|authorization|txtime"
    "|wstime|publishstreamargs|streamurl|pu(?:sh|ll)url|usersig"
    "|(?:api|auth|access|push|play|private|signing|stream|map)key"
)
# … and these only as a word of their own: a monkey has no key.
_ALONE = "key|sign|sig|pwd|args?"
_BEFORE_ALONE = "|".join(
    (
        "(?<![a-z0-9])",
        *(rf"(?<={escape}[0-9a-f]{{2}})" for escape in ("%", "%25", "%2525", "%252525", r"\\u00")),
        r"(?<=\\[nrt])",
    )
)

# A name and what binds it to its value: `=` or `:`, quoted as JSON does, percent-encoded once
# or more, or the blank of `--name value`.
_NAME = re.compile(
    rf"""(?=[ampstuwk])
    (?P<name>{_ANYWHERE}|(?:{_BEFORE_ALONE})(?:{_ALONE}))
    (?: (?:\\{{0,8}}["']|&quot;)? \s{{0,20}} [=:\uff1d\uff1a]{{1,2}}>? \s{{0,20}}
      | (?:%(?:25){{0,3}}22)? (?P<percent>%(?:25){{0,3}})3[ad] (?:(?P=percent)2[02]|\+){{0,8}}
      | (?P<blank>\s{{1,20}})
    )""",
    re.IGNORECASE | re.VERBOSE,
)
# What stands before such a name that is bound by a blank. Looked at from the name: a pattern that
# began here would try every name at each of the characters that follow any two dashes.
_OPTION = re.compile(r"(?<!-)(?:--|[\u2013-\u2015])[a-z0-9_-]{0,24}\Z", re.IGNORECASE)
_OPTION_MOST = 26

_ESCAPED_QUOTE = re.compile(r"(?<!\\)\\{1,8}[\"']")
_CLOSES = {
    '"': re.compile(r'(?:[^"\\]|\\.)*', re.DOTALL),
    "'": re.compile(r"(?:[^'\\]|\\.)*", re.DOTALL),
    "“": re.compile('[^”"]*'),
    "”": re.compile('[^”"]*'),
    "„": re.compile('[^“”"]*'),
    "\u2018": re.compile("[^\u2019']*"),
    "\u2019": re.compile("[^\u2019']*"),
    "«": re.compile("[^»]*"),
}

# After `NAME: ` these say something of the name, as this program's own mistakes do.
_PROSE = re.compile(r"(?:is|has|holds|it|the|Slack)\s")

# What may end a sentence or a list belongs to a bare value only if the value goes on after it.
_SOLID = r"""(?:(?!\\{1,8}["']|\\u00(?:26|3c|3e))[^\s&"<>|{},;)('`\[\]])"""
_SOFT = r"[,;)('`\[\]]"
_MORE = re.compile(rf"{_SOLID}+(?:{_SOFT}+{_SOLID}+)*", re.IGNORECASE)
_BARE = re.compile(rf"(?:\[hidden\])?(?:{_SOFT}*{_SOLID}+(?:{_SOFT}+{_SOLID}+)*)?", re.IGNORECASE)
# These hold several things at once: a whole header, a whole query.
_QUERY = re.compile(r'[^\s"]*')
_WHOLE = {
    "authorization": re.compile(r"[^\r\n]*"),
    "args": _QUERY,
    "arg": _QUERY,
    "publishstreamargs": _QUERY,
    "streamurl": _QUERY,
    "pushurl": _QUERY,
    "pullurl": _QUERY,
}
_ENCODED = {
    level: re.compile(rf'(?:(?!{level}2[26])[^\s&"<>|])*', re.IGNORECASE)
    for level in ("%", "%25", "%2525", "%252525")
}

_TOKEN = re.compile(r"(?:AKID|IKID)[A-Za-z0-9_-]{8,}|(?:xox[a-z]|xapp)-[A-Za-z0-9-]+")
_USERINFO = re.compile(
    r"(?P<scheme>(?::|%3a)(?:\\?/|%2f){2})(?:(?!%2f)[^\s/<>\"|\\])*(?P<at>@|%40)", re.IGNORECASE
)


_APART = 300

_BEYOND = 300
"""Characters of a secret without a name, which is recognised by how it ends, at most."""

_NO_MARKS = str.maketrans("«»", '""')


def apart(text: str) -> str:
    """Quote foreign text in a sentence of ours: nothing in it is read as a user or a channel."""
    shown = redact(text, _APART + 1).translate(_NO_MARKS)
    return f"«{shown if len(shown) <= _APART else shown[: _APART - 1] + '…'}»"


def redact(text: str, most: int | None = None) -> str:
    """Replace every secret by `[hidden]`, keeping its name; doing it twice changes nothing.

    Meant are stream keys (txSecret, wsSecret, … and their times), signatures, tokens, keys and
    passwords by name, key ids of Tencent Cloud and tokens of Slack by their form, and what stands
    before the `@` of an address. It takes linear time for any text.

    Args:
        most: Characters that are shown; no more than these and a few are searched.
    """
    if most is not None:
        shown = redact(text[: most + _BEYOND])
        # What is left of a secret at the cut might not be recognised.
        return (shown if len(text) <= most + _BEYOND else shown[:-_BEYOND])[:most]
    # Each text is redacted several times, and few hold what a search would find.
    if _may_hold_name(text.casefold()):
        text = _without_values(text)
    if "KID" in text or "xox" in text or "xapp" in text:
        text = _TOKEN.sub(HIDDEN, text)
    if "@" in text or "%40" in text:
        text = _USERINFO.sub(rf"\g<scheme>{HIDDEN}\g<at>", text)
    return text


def _may_hold_name(folded: str) -> bool:
    """Return whether a text may hold the name of a secret: one of these is in each."""
    # Spelt out: a loop over them takes five times as long.
    return (
        "key" in folded
        or "secret" in folded
        or "sig" in folded
        or "token" in folded
        or "pass" in folded
        or "pwd" in folded
        or "arg" in folded
        or "auth" in folded
        or "time" in folded
        or "url" in folded
    )


def _without_values(text: str) -> str:
    kept: list[str] = []
    done = 0
    while found := _next_name(text, done):
        start = found.end()
        opening, end = _value(text, start, found)
        if end == start + len(opening):
            # An empty value has nothing to hide.
            kept.append(text[done:start])
            done = start
            continue
        closing = _closing(text, end, opening)
        kept += text[done:start], opening, HIDDEN, closing
        done = end + len(closing)
        if closing and (more := _MORE.match(text, done)):
            done = more.end()
    kept.append(text[done:])
    return "".join(kept)


def _next_name(text: str, done: int) -> re.Match[str] | None:
    """Return the next name that is bound to a value."""
    at = done
    while (found := _NAME.search(text, at)) and found["blank"]:
        start = found.start()
        if _OPTION.search(text, max(done, start - _OPTION_MOST), start):
            break
        at = start + 1
    return found


def _value(text: str, start: int, found: re.Match[str]) -> tuple[str, int]:
    """Return the quote that opens the value, if any, and where the value ends."""
    if level := found["percent"]:
        return "", _end(_ENCODED[level], text, start)
    if escaped := _ESCAPED_QUOTE.match(text, start):
        quotes = _ESCAPED_QUOTE.finditer(text, escaped.end())
        same = (quote.start() for quote in quotes if quote[0] == escaped[0])
        return escaped[0], next(same, len(text))
    opening = text[start : start + 1]
    if opening in _CLOSES:
        return opening, _end(_CLOSES[opening], text, start + 1)
    if found[0].endswith((" ", "\t")) and ":" in found[0] and _PROSE.match(text, start):
        return "", start
    return "", _end(_WHOLE.get(found["name"].lower(), _BARE), text, start)


def _closing(text: str, end: int, opening: str) -> str:
    """Return the quote that closes a value, or nothing where it is bare or never closed."""
    return text[end : end + len(opening)]


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    return found.end() if found else start
