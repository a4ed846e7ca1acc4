"""Tokens of a typed text: words and `name=value` pairs, as phones and Slack deform them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from bot.errors import ParseError

# Phones turn one quote into another, so each one may be closed by similar ones.
_CLOSES = {
    '"': '"”',
    "“": '”"',
    "”": '”"',
    "„": "“”",
    "«": "»",
    "'": "'’",
    "‘": "’'",
    "’": "’'",
}
QUOTES = frozenset(_CLOSES)
"""Characters that open a quote."""

BINDS = "=:\uff1d\uff1a"
"""Characters between a name and its value, as people and phones write them."""

_APOSTROPHES = frozenset("'’")
_ZERO_WIDTH = "[\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]+"
# Within a word they are left, and refused: a name without them is another name.
_INVISIBLE = re.compile(rf"(?<!\S){_ZERO_WIDTH}|{_ZERO_WIDTH}(?!\S)")
_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">"}
_ENTITY = re.compile("|".join(_ENTITIES))
# Never across a double quote: in an address of Slack's it is percent-encoded.
_SLACK = re.compile(r'<(?P<link>[^<>|\s"]+)(?:\|(?P<label>[^<>"]*))?>')
_DASHES = re.compile(r"(?:--|—|–|―)(?=[A-Za-z])")
SENTENCE_ENDS = ".,!:;?\u2026\u3001\u3002\uff0c\uff01\uff1a\uff1b\uff1f"
"""Characters at the end of an unquoted name that end the sentence instead."""

_AFTER_QUOTE = f"{SENTENCE_ENDS}*_~)]}}>\uff09\u3011"

# Between two quotes they separate values: `"a","b"` and `"name":"a"`.
_BETWEEN_QUOTES = re.compile(rf"[^\s\w{''.join(_CLOSES)}]+(?=[{''.join(_CLOSES)}])")
_IN_OTHER_QUOTES = frozenset("\"”'’")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
# The end of a name in base64.
_PADDING = re.compile(r"==(?!\S)")
_DRY_FLAG = re.compile(r"(?:--|—|–|―)dry[-_]?run$", re.IGNORECASE)
_DRY_NAMES = frozenset({"dry-run", "dry_run", "dryrun"})
_YES = frozenset({"yes", "true", "on", "1"})
_TICK = "`"
_PLAIN = "[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?"
# Nearly every word, and nearly every text: in them nothing is a mark.
_PLAIN_WORD, _PLAIN_TEXT = re.compile(_PLAIN), re.compile(f"{_PLAIN}(?: {_PLAIN})*")
# The same spaces as `str.isspace` knows.
_WORD, _SPACE = re.compile(r"\S+"), re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Token:
    """A word, or a `name=value` pair.

    Attributes:
        name: As typed, without dashes; empty for a bare word.
        value: Empty for a name without a value.
        start, end: The span of the whole token in the text.
        name_start, value_start: Where the name and the value begin.
        quoted: The value was quoted, so it is taken literally.
        glued: What is quoted of a value that is more than one quoted word; else empty.
    """

    name: str
    value: str
    start: int
    end: int
    name_start: int
    value_start: int
    quoted: bool = False
    glued: tuple[str, ...] = ()

    def with_value(self, value: str) -> "Token":
        """Return this token with another value, in the same place."""
        return self if value == self.value else replace(self, value=value)


def unescape(text: str) -> str:
    """Return a text without what Slack and phones add: links, escapes, unusual spaces.

    A link that Slack made by itself becomes what was typed; any other becomes its URL.
    """
    shown = text
    if "<" in shown or "&" in shown:
        shown = _ENTITY.sub(lambda found: _ENTITIES[found[0]], _SLACK.sub(_unlinked, shown))
    if not shown.isascii():
        shown = _INVISIBLE.sub("", _SPACES.sub(" ", shown))
        shown = _SURROGATES.sub("\ufffd", shown)
    return shown.strip()


def _unlinked(found: re.Match[str]) -> str:
    link, label = found["link"], found["label"]
    scheme, _, rest = link.partition(":")
    if scheme in ("mailto", "tel"):
        return label or rest
    # `http://a.b|a.b`: Slack links bare host names by itself; the label is what was typed.
    return label if label and label == rest.removeprefix("//").rstrip("/") else link


def is_plain(word: str) -> bool:
    """Return whether nothing in a word can be decoration, an address, a mention or a list.

    It is so of nearly every name: what looks for these need not look.
    """
    return _PLAIN_WORD.fullmatch(word) is not None


def tokenize(text: str) -> list[Token]:
    """Return the tokens of an unescaped text.

    Raises:
        ParseError: A quote is not closed.
    """
    if _PLAIN_TEXT.fullmatch(text):
        places = [(found[0], *found.span()) for found in _WORD.finditer(text)]
        return [Token("", word, start, end, start, start) for word, start, end in places]
    return list(_tokens(text))


def value_only(token: Token) -> Token:
    """Return a token whose span is that of its value."""
    return replace(token, start=token.value_start)


def without_dry_run(text: str) -> tuple[str, bool]:
    """Remove the dry-run flag from an escaped text; return whether it was there.

    A quoted flag, and one that is the value of a name, does not count. A text that cannot be
    tokenized is returned unchanged.
    """
    if "dry" not in text.casefold():
        return text, False
    shown = unescape(text)
    try:
        spans = [span for token in _tokens(shown) if (span := _dry_run_span(shown, token))]
    except ParseError:
        return text, False
    if not spans:
        return text, False
    for start, end in reversed(spans):
        shown = shown[:start] + shown[end:]
    return escape_signs(shown).strip(), True


def escape_signs(text: str) -> str:
    """Return an unescaped text with Slack's escapes, so that unescaping gives it again."""
    # The ampersand comes first.
    for escaped, sign in _ENTITIES.items():
        text = text.replace(sign, escaped)
    return text


def _dry_run_span(text: str, token: Token) -> tuple[int, int] | None:
    """Return the span of a dry-run flag; None if the token is none."""
    if not token.name:
        return (
            (token.start, token.end) if not token.quoted and _DRY_FLAG.match(token.value) else None
        )
    if token.name.casefold() not in _DRY_NAMES:
        return None
    end = token.name_start + len(token.name)
    if text[end : end + 1] != "=":
        # The word after a bare `--dry-run` is not its value.
        return token.start, end
    return (token.start, token.end) if token.value.casefold() in _YES else None


def _tokens(text: str) -> Iterator[Token]:
    at = _past_space(text, 0)
    while at < len(text):
        token = _token(text, at)
        if token.name or token.value or token.quoted:
            yield token
        at = _past_space(text, max(token.end, at + 1))


def _token(text: str, start: int) -> Token:
    at = _past_ticks(text, start)
    dashes = _DASHES.match(text, at)
    name_at = dashes.end() if dashes else at
    found = _NAME.match(text, name_at)
    if found is None:
        return _bare(text, start, at)
    name, after = found[0], found.end()
    if text[after : after + 1] == "=" and not _PADDING.match(text, after):
        return _named(text, name, start, name_at, after + 1)
    if dashes and _ends(text, after):
        value_at = _past_space(text, after)
        if name.casefold() == "help" or _ends(text, value_at) or _DASHES.match(text, value_at):
            return Token(name, "", start, after, name_at, after)
        return _named(text, name, start, name_at, value_at)
    return _bare(text, start, at)


def _bare(text: str, start: int, at: int) -> Token:
    value, end, pieces, is_whole = _value(text, at)
    return Token("", value, start, end, start, at, bool(pieces), () if is_whole else pieces)


def _named(text: str, name: str, start: int, name_at: int, at: int) -> Token:
    value, end, pieces, is_whole = _value(text, _past_ticks(text, at))
    return Token(name, value, start, end, name_at, at, bool(pieces), () if is_whole else pieces)


def _value(text: str, at: int) -> tuple[str, int, tuple[str, ...], bool]:
    """Return adjacent quoted and unquoted pieces as one value, its end, and what is quoted of it.

    The last tells whether it is one quoted word, or one that `quoted` of `formatting` writes in
    several pieces.
    """
    start, pieces, is_whole = at, list[str](), True
    while text[at : at + 1] in _CLOSES:
        end = _closing(text, at)
        pieces.append(text[at + 1 : end])
        is_whole = is_whole and (len(pieces) == 1 or _is_one_word(*pieces[-2:]))
        between = _BETWEEN_QUOTES.match(text, end + 1)
        is_whole = is_whole and between is None
        at = between.end() if between else end + 1
    rest, end = at, _past(_WORD, text, at)
    bare = text[rest:end].rstrip(_TICK)
    if pieces and not bare.strip(_AFTER_QUOTE):
        bare = ""
    value = "".join(pieces) + bare if is_whole else text[start:end]
    return value, end, tuple(pieces), is_whole and not (pieces and bare)


def _is_one_word(piece: str, following: str) -> bool:
    """Return whether a value is written in these two pieces, as one quote cannot hold it."""
    is_quote = any(one and not set(one) - _IN_OTHER_QUOTES for one in (piece, following))
    return is_quote or piece.endswith(("<", "&"))


def _closing(text: str, at: int) -> int:
    """Return the end of a quote; an apostrophe inside a word does not end it."""
    for end in range(at + 1, len(text)):
        char = text[end]
        inside = char in _APOSTROPHES and text[end + 1 : end + 2].isalnum()
        if char in _CLOSES[text[at]] and not inside:
            return end
    raise ParseError("This quote is not closed.", text=text, start=at, end=len(text))


def _ends(text: str, at: int) -> bool:
    return at >= len(text) or text[at].isspace()


def _past_space(text: str, at: int) -> int:
    return _past(_SPACE, text, at)


def _past(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _past_ticks(text: str, at: int) -> int:
    while text[at : at + 1] == _TICK:
        at += 1
    return at
