"""Decoration of unquoted words: formatting, brackets, sentence ends and fillers; pure.

Slack shows `*stream1*` in bold, people write `(stream1)` or end a sentence with `stream1;`. None
of it belongs to the name. A quoted word is taken as it is.
"""

import re
import unicodedata
from collections.abc import Container, Sequence
from dataclasses import replace

from bot.catalog.param_types import is_invisible
from bot.commands.tokens import SENTENCE_ENDS, Token
from bot.times import duration_unit

_PAIRS = {
    **{sign: sign for sign in "*_~`\"'"},
    "(": ")",
    "[": "]",
    "{": "}",
    "<": ">",
    "\uff08": "\uff09",
    "\uff3b": "\uff3d",
    "\u3010": "\u3011",
    "\u3014": "\u3015",
    "\u201c": "\u201d",
    "\u2018": "\u2019",
    "\u201e": "\u201d",
    "\u201a": "\u2019",
    "\u00ab": "\u00bb",
    "\u00bb": "\u00ab",
    "\u2039": "\u203a",
    "\u203a": "\u2039",
    "\u300c": "\u300d",
    "\u300e": "\u300f",
    "\u300a": "\u300b",
    "\u3008": "\u3009",
    "\uff02": "\uff02",
    "\uff07": "\uff07",
    "\u301d": "\u301e",
}
_ALSO_CLOSES = {"\u201e": "\u201c", "\u201a": "\u2018", "\u301d": "\u301f", "\u201d": "\u201d"}
_MARKS = frozenset("*~`\"'()[]{}<>") | {
    sign for pair in _PAIRS.items() for sign in pair if not sign.isascii()
}
"""What a name neither begins nor ends with, unless it is quoted."""

_MENTION = re.compile(r"@[UW][A-Z0-9]+\b|#C[A-Z0-9]+\b|!(?:here|channel|everyone|subteam)\b")
_SEPARATORS = re.compile("[,;|\u3001\uff0c\uff1b]")
_NEXT_URL = re.compile(r"[,;|][a-z][a-z0-9+.-]*://", re.IGNORECASE)
_EMOJI = re.compile(r":[a-z0-9_+'-]+(?:::skin-tone-[2-6])?:", re.IGNORECASE)
_GREETINGS = frozenset(
    {"hey", "hi", "hello", "ok", "okay", "can", "could", "would", "you", "we", "u", "let's", "lets"}
    | {"just", "kindly", "the", "this", "my", "our"}
)
FILLERS = frozenset(
    {"please", "pls", "plz", "now", "asap", "immediately", "quickly", "thanks", "thx", "ty"}
    | {"and", "right", "away", "urgent", "urgently"}
)
"""Words of a sentence, which are no value unless they are quoted."""

_KEPT = frozenset("?")
"""Asks for help, so it is no decoration where it stands alone."""


def undecorated(value: str) -> str:
    """Return an unquoted word without formatting, brackets and what ends a sentence."""
    before = None
    while value != before:
        before = value
        value = value.strip(" `").rstrip(f"{SENTENCE_ENDS}`")
        while value and is_invisible(value[0]):
            value = value[1:]
        while value and is_invisible(value[-1]):
            value = value[:-1]
        inner, closing = value[1:-1], (_PAIRS.get(value[:1]), _ALSO_CLOSES.get(value[:1]))
        if inner and value[-1] in closing:
            value = inner
    return value


def is_unclear(name: str) -> bool:
    """Return whether a mark at the edge of a name may be decoration or belong to it."""
    return not name or name[0] in _MARKS or name[-1] in _MARKS


def holds_mention(name: str) -> bool:
    """Return whether an unescaped word holds a mention of a user, a channel or everybody."""
    return _MENTION.search(name) is not None


def holds_several(name: str) -> bool:
    """Return whether an unquoted word is a list of names or of URLs."""
    if "://" in name:
        return _NEXT_URL.search(name) is not None
    return len([one for one in _SEPARATORS.split(name) if one]) > 1


def plain_tokens(tokens: Sequence[Token], targets: Container[str]) -> list[Token]:
    """Return the tokens without the marks and emoji around a command.

    Args:
        targets: Names of the policy's targets, which may be emoji.
    """
    return _unwrapped([one for one in tokens if one.value in targets or not _is_ornament(one)])


def plain_word(token: Token) -> Token:
    """Return a bare word without decoration; any other token unchanged."""
    if token.name or token.quoted:
        return token
    return replace(token, value=undecorated(token.value).lstrip(f"{SENTENCE_ENDS}>") or token.value)


def is_filler(token: Token) -> bool:
    """Return whether a token is a word of a sentence, which is no value unless it is quoted."""
    bare = not token.name and not token.quoted
    return bare and undecorated(token.value).casefold() in FILLERS


def _is_ornament(token: Token) -> bool:
    if token.name or token.quoted or token.value in _KEPT or "=" in token.value:
        return False
    return _EMOJI.fullmatch(token.value) is not None or not any(map(_is_of_name, token.value))


def _is_of_name(char: str) -> bool:
    return char.isalnum() or char == "\uff1d" or unicodedata.category(char)[0] == "M"


def is_greeting(token: Token) -> bool:
    """Return whether a token may stand before a command without being part of it."""
    word = undecorated(token.value).casefold()
    return is_filler(token) or (not token.name and not token.quoted and word in _GREETINGS)


def _unwrapped(tokens: list[Token]) -> list[Token]:
    """Return the tokens without a pair of marks that encloses several of them."""
    for first, token in enumerate(tokens):
        closing = _PAIRS.get(token.value[:1])
        if token.name or token.quoted or closing is None or not token.value[1:]:
            continue
        if undecorated(token.value)[:1] != token.value[:1]:
            continue
        for last in range(first + 1, len(tokens)):
            end = tokens[last].value.rstrip(SENTENCE_ENDS)
            if not tokens[last].quoted and len(end) > 1 and end.endswith(closing):
                tokens = [*tokens]
                tokens[first] = replace(token, value=token.value[1:])
                tokens[last] = replace(tokens[last], value=end[:-1])
                return _unwrapped(tokens)
    return tokens


def joined_durations(tokens: Sequence[Token]) -> list[Token]:
    """Return the tokens with a number and its unit as one: `2 hours` becomes `2h`."""
    found: list[Token] = []
    for token in tokens:
        last = found[-1] if found else None
        unit = duration_unit(undecorated(token.value)) if not (token.name or token.quoted) else ""
        if unit and last is not None and last.value.isascii() and last.value.isdigit():
            found[-1] = replace(last, value=last.value + unit, end=token.end)
        else:
            found.append(token)
    return found
