"""Decoration of unquoted words: formatting, brackets, sentence ends and fillers; pure.

Slack shows `*stream1*` in bold, people write `(stream1)` or end a sentence with `stream1;`. None
of it belongs to the name. A quoted word is taken as it is.
"""

import itertools
import re
import string
import unicodedata
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace

from bot.catalog.param_types import is_invisible
from bot.commands.tokens import SENTENCE_ENDS, Token, is_plain
from bot.times import duration_unit, is_duration

_PAIRS = {
    **{sign: sign for sign in "*_~`\"'|\uff02\uff07\u201d"},
    "<": ">",
    "\uff1c": "\uff1e",
    "\u201e": "\u201d\u201c",
    "\u201a": "\u2019\u2018",
    "\u00bb": "\u00ab",
    "\u203a": "\u2039",
    "\u301d": "\u301e\u301f",
    "\u275d": "\u275e",
    "\u275b": "\u275c",
}
"""What closes an opening sign whose Unicode name does not tell; any one of several."""

_BEGINS, _ENDS = "-_", "-_="
"""Signs that a name may begin or end with; any other one is asked about, unless it is quoted."""

_SENTENCE_ENDS = frozenset(f"{SENTENCE_ENDS}`")

_MENTION = re.compile(r"@[UW][A-Z0-9]+\b|#C[A-Z0-9]+\b|!(?:here|channel|everyone|subteam)\b")
_AND = "\u548c\u4e0e\u8207\u53ca\u8ddf\u6216\u3068"
# An `&` of a field, or of an entity, is none; nor is a Chinese `and` inside of a Chinese name.
_SEPARATORS = re.compile(
    "[,;|\u3001\uff0c\uff1b]"
    r"|[&\uff06](?!\w+=|#|(?:nbsp|quot|apos|amp|lt|gt)(?!\w))"
    rf"|(?<=[A-Za-z0-9_-])[{_AND}](?=[A-Za-z0-9])",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:#\w+|nbsp|quot|apos|amp|lt|gt|ensp|emsp|thinsp)(?!\w)", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9]+")
_WORDS_BY_PLUS = re.compile(r"[a-z]{3,}(?:\+[a-z]{3,})+", re.IGNORECASE)
_NEXT_URL = re.compile(r"[,;|][a-z][a-z0-9+.-]*://", re.IGNORECASE)
# One or several short codes; that of a skin tone is one of its own, `:wave::skin-tone-2:`.
_EMOJI = re.compile(r"(?::[a-z0-9_+'-]+:)+", re.IGNORECASE)
_EMOJI_INSIDE = re.compile(r":(?=[0-9_+'-]*[a-z])[a-z0-9_+'-]+:", re.IGNORECASE)
# An apostrophe stands between letters; each of the others is a quote, an entity, a tag or a list.
_ODD = re.compile(r"[\"`<>&]|(?<!\w)'|'(?!\w)|[)\]}][(\[{]|\*\*|~~")
_IN_NAMES = frozenset("\u00b7\u30fb\u2019")
"""Signs beyond ASCII that names hold: the points between their parts, and the apostrophe."""

_PLAIN = frozenset(("", *string.ascii_letters, *string.digits))
"""What no decoration begins or ends with."""

_GREETINGS = frozenset(
    {"hey", "hi", "hello", "ok", "okay", "can", "could", "would", "we", "u", "let's", "lets"}
    | {"just", "kindly", "the", "this", "my", "our"}
)
FILLERS = frozenset(
    {"please", "pls", "plz", "now", "asap", "immediately", "quickly", "thanks", "thx", "ty"}
    | {"and", "right", "away", "urgent", "urgently", "also", "too", "then", "already", "again"}
    | {"thank", "you", *_AND}
)
"""Words of a sentence, which are no value unless they are quoted."""

_BEFORE = _GREETINGS | FILLERS

_KEPT = frozenset("?")
"""Asks for help, so it is no decoration where it stands alone."""


def undecorated(value: str) -> str:
    """Return an unquoted word without formatting, brackets and what ends a sentence."""
    if _has_plain_edges(value):
        return value
    before = None
    while value != before:
        before = value
        value = _without_end(value.strip(" `"))
        while value and is_invisible(value[0]):
            value = value[1:]
        while value and is_invisible(value[-1]):
            value = value[:-1]
        inner = value[1:-1]
        if inner and value[-1] in _closings(value[0]) and not _ends_inside(inner, value):
            value = inner
    return value


def _ends_inside(inner: str, value: str) -> bool:
    """Return whether the first mark of a word is closed inside, as in `(a)(b)` and `*a**b*`."""
    if value[0] == "_":
        # Most of those inside are a part of the name.
        return False
    closed = inner.find(value[-1])
    return closed >= 0 and (value[0] == value[-1] or not 0 <= inner.find(value[0]) < closed)


def _has_plain_edges(word: str) -> bool:
    """Return whether no decoration can be at the edges of a word; true of nearly every one."""
    return word[:1] in _PLAIN and word[-1:] in _PLAIN


def _closings(sign: str) -> str:
    """Return the signs that close what a sign opens; empty if it opens nothing."""
    if sign in _PAIRS:
        return _PAIRS[sign]
    name = "" if sign.isalnum() else unicodedata.name(sign, "")
    if "LEFT" not in name:
        return ""
    try:
        return unicodedata.lookup(name.replace("LEFT", "RIGHT"))
    except KeyError:
        return ""


def is_unclear(name: str) -> bool:
    """Return whether a sign of a name may be decoration or belong to it."""
    if name and _has_plain_edges(name):
        return _is_odd_inside(name)
    bare = without_edges(name)
    before, _, after = name.partition(bare) if bare else (name, "", "")
    at_edge = bool(before.strip(_BEGINS) or after.strip(_ENDS))
    return not bare or at_edge or _is_odd_inside(bare)


def _is_odd_inside(name: str) -> bool:
    """Return whether a quote, an entity, an emoji or a sign of print stands inside a name."""
    if _ODD.search(name) or _EMOJI_INSIDE.search(name):
        return True
    if "+" in name and len(name) % 4 and _WORDS_BY_PLUS.fullmatch(name):
        return True
    return not name.isascii() and any(
        char > "\x7f" and char not in _IN_NAMES and unicodedata.category(char)[0] in "PS"
        for char in name
    )


def without_emoji(name: str) -> str:
    """Return an unquoted word without the short codes of emoji at its edges."""
    first, end = _EMOJI.match(name), len(name)
    start = first.end() if first else 0
    while (before := _code_start(name, end)) >= start:
        end = before
    return name[start:end]


def _without_end(value: str) -> str:
    """Return a word without what ends a sentence; the colon of an emoji's short code is kept."""
    end = len(value)
    while end and value[end - 1] in _SENTENCE_ENDS and _code_start(value, end) < 0:
        end -= 1
    return value[:end]


def _code_start(name: str, end: int) -> int:
    """Return where the short code begins that ends there; -1 if none does."""
    start = name.rfind(":", 0, end - 1) if name[end - 1 : end] == ":" else -1
    return start if start >= 0 and _EMOJI.fullmatch(name, start, end) else -1


def without_edges(name: str) -> str:
    """Return a name from its first letter or digit to its last one."""
    inside = [at for at, char in enumerate(name) if _is_of_word(char)]
    return name[inside[0] : inside[-1] + 1] if inside else ""


def _is_of_word(char: str) -> bool:
    return char.isalnum() or unicodedata.category(char)[0] == "M"


def holds_mention(name: str) -> bool:
    """Return whether an unescaped word holds a mention of a user, a channel or everybody."""
    return _MENTION.search(name) is not None


def holds_several(name: str) -> bool:
    """Return whether an unquoted word is a list of names or of URLs."""
    if "://" in name:
        return _NEXT_URL.search(name) is not None
    return len(split_names(name)) > 1


def split_names(word: str) -> list[str]:
    """Return the names, or the URLs, of an unquoted word that is a list of them."""
    if "://" in word:
        starts = [0, *(found.start() for found in _NEXT_URL.finditer(word)), len(word)]
        parts = [word[first:last] for first, last in itertools.pairwise(starts)]
        return [one.lstrip(",;|") for one in parts]
    if "&" in word and _ENTITY.search(word):
        return [word]
    parts = [one for one in _SEPARATORS.split(word) if one]
    return _by_plus(word) if len(parts) == 1 and "+" in word else parts


def _by_plus(word: str) -> list[str]:
    """Return the names of a list like `cam-1+cam-2`, which base64 and most names are not."""
    parts = [one for one in word.split("+") if one]
    stems = {_DIGITS.sub("0", one).casefold() for one in parts}
    alike = len(parts) > 1 and len(stems) == 1 and "0" in min(stems) and min(stems) != "0"
    return parts if alike else [word]


def plain_tokens(tokens: Sequence[Token], targets: Container[str]) -> list[Token]:
    """Return the tokens without the marks and emoji around a command.

    Args:
        targets: Names of the policy's targets, which may be emoji.
    """
    if all(is_plain(one.value) for one in tokens):
        return list(tokens)
    return _unwrapped([one for one in tokens if one.value in targets or not _is_ornament(one)])


def plain_word(token: Token) -> Token:
    """Return a bare word without decoration; any other token unchanged."""
    if token.name or token.quoted or is_plain(token.value):
        return token
    value = undecorated(without_emoji(undecorated(token.value))).lstrip(f"{SENTENCE_ENDS}>")
    return token.with_value(value or token.value)


def is_filler(token: Token) -> bool:
    """Return whether a token is a word of a sentence, which is no value unless it is quoted."""
    return _is_one_of(FILLERS, token)


def _is_one_of(words: Container[str], token: Token) -> bool:
    bare = not token.name and not token.quoted
    return bare and undecorated(token.value).casefold() in words


def _is_ornament(token: Token) -> bool:
    if token.name or token.quoted or token.value in _KEPT or "=" in token.value:
        return False
    if token.value[:1].isalnum():
        # Nearly every word.
        return False
    return _EMOJI.fullmatch(token.value) is not None or not any(
        char == "\uff1d" or _is_of_word(char) for char in token.value
    )


def is_greeting(token: Token) -> bool:
    """Return whether a token may stand before a command without being part of it."""
    return _is_one_of(_BEFORE, token)


def _unwrapped(tokens: list[Token]) -> list[Token]:
    """Return the tokens without a pair of marks that encloses several of them."""
    for first, token in enumerate(tokens):
        closing = _closings(token.value[:1]) if token.value else ""
        if token.name or token.quoted or not closing or not token.value[1:]:
            continue
        if undecorated(token.value)[:1] != token.value[:1]:
            continue
        for last in range(first + 1, len(tokens)):
            end = tokens[last].value.rstrip(SENTENCE_ENDS)
            if not tokens[last].quoted and len(end) > 1 and end.endswith(tuple(closing)):
                tokens = [*tokens]
                tokens[first] = replace(token, value=token.value[1:])
                tokens[last] = replace(tokens[last], value=end[:-1])
                return _unwrapped(tokens)
    return tokens


def joined_durations(tokens: Sequence[Token]) -> list[Token]:
    """Return the tokens with a number and its unit as one: `2 hours` becomes `2h`.

    Numbers may be words, as in `half an hour`, and lengths may be of several parts: `1h 30m`.
    """
    found: list[Token] = []
    for token in tokens:
        joined = _joined(found, token) or _joined_by_and(found, token)
        if joined is None:
            found.append(token)
            continue
        found[joined.first :] = []
        longer = _joined(found, joined.token) or _joined_by_and(found, joined.token)
        if longer is None:
            found.append(joined.token)
        else:
            found[longer.first :] = [longer.token]
    return found


def _joined_by_and(before: Sequence[Token], token: Token) -> "_Joined | None":
    """Return the length of time of `2h and 30m`; None if there is none."""
    if not before or not _is_one_of(_ALSO, before[-1]):
        return None
    return _joined(before[:-1], token)


_ALSO = frozenset({"and", "&", "+"})


@dataclass(frozen=True, slots=True)
class _Joined:
    """A token that takes the place of those from `first` on."""

    first: int
    token: Token


def _joined(before: Sequence[Token], token: Token) -> _Joined | None:
    """Return the length of time that a token ends; None if it ends none."""
    last = before[-1] if before else None
    if last is None or last.quoted or token.name or token.quoted:
        return None
    value, at = undecorated(token.value), len(before) - 1
    if unit := duration_unit(value):
        if not last.name and _is_half(last) and _HALVES[unit]:
            return _Joined(at, replace(last, value=_HALVES[unit], end=token.end))
        if number := _number(last.value):
            half = len(before) > 1 and number == "1" and not last.name and _is_half(before[-2])
            first = before[-2] if half else last
            text = _HALVES[unit] if half else number + unit
            return _Joined(at - half, replace(first, value=text, end=token.end)) if text else None
        return None
    length = last.value if last.name else undecorated(last.value)
    if is_duration(value) and is_duration(length) and _is_finer(value, length):
        return _Joined(at, replace(last, value=length + value, end=token.end))
    return None


_TO_TWELVE = "zero one two three four five six seven eight nine ten eleven twelve"
_NUMBERS = {
    **{word: str(number) for number, word in enumerate(_TO_TWELVE.split())},
    "fifteen": "15",
    "twenty": "20",
    "twenty-four": "24",
    "thirty": "30",
    "forty-five": "45",
    "forty-eight": "48",
    "sixty": "60",
    "ninety": "90",
}
_HALVES = {"m": "30s", "h": "30m", "d": "12h", "w": "84h", "s": ""}
_UNITS = "wdhms"


def _number(word: str) -> str:
    """Return a number in digits; empty if a word is none."""
    folded = word.casefold()
    if folded in ("a", "an"):
        return "1"
    if folded in _NUMBERS:
        return _NUMBERS[folded]
    return word if word.isascii() and word.isdigit() else ""


def _is_half(token: Token) -> bool:
    return not token.quoted and token.value.casefold() == "half"


def _is_finer(duration: str, than: str) -> bool:
    """Return whether a length of time is of a smaller unit than another."""
    # Of a length with several units, the last one counts.
    parts = [re.split("[0-9. ]+", one.strip()) for one in (than, duration)]
    units = [duration_unit(next(filter(None, reversed(words)), "")) for words in parts]
    return all(units) and _UNITS.index(units[0]) < _UNITS.index(units[1])
