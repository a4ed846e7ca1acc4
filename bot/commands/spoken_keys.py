"""Keys that are told in words: after the name of one, or after the line break that cut one."""

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence

from bot.commands.decoration import undecorated
from bot.commands.diagnostics import Span
from bot.commands.tokens import BINDS, QUOTES, Token, tokenize
from bot.errors import ParseError
from bot.redact import redact

_SAYS = frozenset({"", "is", "was", "are", "ist", "es", "est", "\u662f", "\u4e3a", "->", "=>"})
"""Words between the name of a key and the key."""

_FOREIGN = (
    "\u5bc6\u94a5|\u79d8\u94a5|\u5bc6\u78bc|\u5bc6\u7801|\u5bc6\u9470|\u91d1\u9470|\u53e3\u4ee4"
    "|\u4ee4\u724c|\u63a8\u6d41\u7801|\u30ad\u30fc|\u30d1\u30b9\u30ef\u30fc\u30c9|\ud0a4"
    "|\ube44\ubc00\ubc88\ud638|\u043a\u043b\u044e\u0447|\u043f\u0430\u0440\u043e\u043b\u044c"
    "|schl(?:\u00fc|ue)ssel|passwort|cl(?:\u00e9|ef)|clave|contrase\u00f1a|chave|senha|chiave"
)
"""Names of a key in other languages; some stand at the end of a longer word."""

_NAME = re.compile(r"[A-Za-z][\w-]{1,31}")
_FOREIGN_NAME = re.compile(rf"[\w-]{{0,32}}(?:{_FOREIGN})", re.IGNORECASE)
_JOINED = re.compile(rf"(?:{_FOREIGN})[{BINDS}]+(\S+)", re.IGNORECASE)
_WORD = re.compile(r"\S+")
_BREAK = re.compile("[\r\n]")
_OF_ADDRESS = re.compile("[?=/&]")


def spoken_keys(text: str) -> frozenset[Span]:
    """Return the words of a text that are keys by what stands before them; more rather than less.

    What holds its own name, like `txSecret=KEY`, is not among them: `redact` knows it.
    """
    found = {*_cut_keys(text), *(match.span(1) for match in _JOINED.finditer(text))}
    try:
        tokens = tokenize(text)
    except ParseError as error:
        # A quote without an end is one word.
        start, end = error.start, len(text)
        rest = Token("", text[start:], start, end, start, start, quoted=True)
        tokens = [*tokenize(text[: error.start]), rest]
    return frozenset({*found, *_named(tokens)})


def values_of(text: str, spans: Iterable[Span]) -> frozenset[str]:
    """Return what stands at these places, without quotes and signs around it."""
    marks = "".join(QUOTES)
    values = (undecorated(text[first:last].strip(marks)) for first, last in spans)
    return frozenset(value for value in values if len(value) >= _SHORTEST)


def without_keys(text: str, tokens: Sequence[Token]) -> list[Token]:
    """Return the tokens without spoken keys and the names of these."""
    spans = spoken_keys(text)
    if not spans:
        return list(tokens)
    starts = {start for start, _ in spans}
    return [
        one
        for one in tokens
        if not any(start < one.end and one.start < end for start, end in spans)
        and not (names_key(one) and any(one.end <= start <= one.end + _NEAR for start in starts))
    ]


_LONGEST = 400
"""Characters before a line break in which the name of a key is looked for."""

_SHORTEST = 3
"""Characters of a key; what is shorter would be found in any other word."""

_NEAR = 12
"""Characters between the name of a key and the key, at most."""


def names_key(token: Token) -> bool:
    """Return whether a word is the name of a key, without the key."""
    if token.quoted or (token.name and token.value):
        return False
    word = undecorated(token.name or token.value).rstrip(BINDS)
    if _FOREIGN_NAME.fullmatch(word):
        return True
    return _NAME.fullmatch(word) is not None and redact(f"{word}=Q") != f"{word}=Q"


def _named(tokens: Sequence[Token]) -> Iterator[Span]:
    """Yield the word after each name of a key."""
    is_next = False
    for token in tokens:
        bare = not token.name and not token.quoted
        if is_next and bare and token.value.strip(BINDS).casefold() in _SAYS:
            continue
        if is_next and not (token.name and token.value):
            # Of an encoder's `stream1?txSecret=KEY`, the name is no secret.
            name, query, _ = token.value.partition("?")
            begin = token.value_start + len(name) if query and not token.quoted else token.start
            yield begin, token.end
        is_next = names_key(token)


def _cut_keys(text: str) -> Iterator[Span]:
    """Yield the first word of each line that goes on with a key of the line before."""
    before = ""
    for first, rest in itertools.pairwise(_WORD.finditer(text)):
        before = (before + first[0])[-_LONGEST:]
        if _BREAK.search(text, first.end(), rest.start()) is None:
            before = ""
        elif _OF_ADDRESS.search(before) and _is_of_key(before, rest[0]):
            yield rest.span()


def _is_of_key(before: str, rest: str) -> bool:
    """Return whether a word belongs to a key once the line break before it is taken out."""
    shown = redact(before + rest)
    same = itertools.takewhile(
        lambda pair: pair[0] == pair[1], zip(shown[::-1], rest[::-1], strict=False)
    )
    return sum(1 for _ in same) < len(rest) or redact(before + "Q")[-1:] != "Q"
