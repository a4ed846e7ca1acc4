"""Which of several words are names: a list of them, or a name in a sentence; pure."""

import itertools
import re
from collections.abc import Iterator, Sequence

from bot.commands import secrets
from bot.commands.context import Context
from bot.commands.decoration import holds_mention, is_filler, is_unclear, split_names, undecorated
from bot.commands.diagnostics import CommandError
from bot.commands.formatting import command_prefix, quoted
from bot.commands.spoken_keys import without_keys
from bot.commands.tokens import QUOTES, Token
from bot.model.actions import Action
from bot.times import is_duration

_HOST = re.compile(r"(?:[a-z0-9-]+\.)+[a-z]{2,}", re.IGNORECASE)
_LISTED = re.compile(r"[,;|&+/\n\u3001\uff0c\uff1b]|\band\b", re.IGNORECASE)
REVERSING = frozenset(
    {"not", "no", "except", "but", "without", "excluding", "never", "don't", "dont", "unless", "if"}
    | {"after", "before", "later", "when", "once", "in"}
)
"""Words that reverse or delay what is asked."""

_OF_COMMAND = frozenset({"stop", "start", "status", "live", "ban", "or", "the"})
_SHAPE = re.compile(r"[0-9]|[^\W_][-_.][^\W_]|[^\x00-\x7f]")
"""What names have, and hardly any word of a sentence."""

WORDS = frozenset(
    """
    a about after again air all also an any are as at be because been before being both but by
    called can cannot can't do does down due during every everything feed for from get has have
    he her here him his how i if in into is isn't it its it's kill let live me more my named near
    no not of off on once one only or our out over push re she since so some start status stop
    stopped stream streams than that the their them then there these they thing things this those
    through till to too two under until up us very via was we were what what's whats when where
    which who who's whole why will with without yes yet you your
    """.split()  # noqa: SIM905
)
"""Words of a sentence, which are hardly the name of a stream."""


class SeveralNamesError(CommandError):
    """There are more words than a command takes."""


def is_host(word: str) -> bool:
    """Return whether a word is a host name, rather than a name with a point in it."""
    return _HOST.fullmatch(word) is not None


def is_shaped(word: str) -> bool:
    """Return whether a word has what names have: a digit, a hyphen inside, a point."""
    return _SHAPE.search(word) is not None or secrets.is_url(word)


def one_by_one(context: Context, action: Action, tokens: Sequence[Token]) -> tuple[str, ...]:
    """Return a command for each name among the words after a kind, with all other values.

    Args:
        tokens: All that stand after the kind.
    """
    key = action.param(next(iter(action.effect_spec.key), ""))
    if key is None or secrets.takes_secret(action) or key.type.json not in ("string", "uint64"):
        return ()
    tokens = without_keys(context.text, tokens)
    named = [token for token in tokens if token.name and action.param(token.name) is not key]
    words = [token for token in tokens if token not in named]
    hosts = [one for one in words if not one.quoted and is_host(undecorated(one.value))]
    has_domain = action.param("domain") is not None and key.word != "domain"
    if has_domain and len(hosts) == 1 and not any(one.name == "domain" for one in named):
        words.remove(hosts[0])
        named.append(Token("domain", undecorated(hosts[0].value), 0, 0, 0, 0))
    names: Sequence[str] = list(dict.fromkeys(_names(words)))
    if REVERSING & {name.casefold() for name in names}:
        # What is named may be what must go on, or is meant for later.
        return ()
    rest = "".join(f" {token.name}={_value(token)}" for token in named)
    names = likely_names(names, listed=_is_list(context.text, words))
    if key.type.json == "uint64":
        names = [name for name in names if name.isdecimal()]
    return tuple(f"{command_prefix(action)} {quoted(name)}{rest}" for name in names)


def is_listed(text: str) -> bool:
    """Return whether a text has a sign or a word between the names of a list."""
    return _LISTED.search(text) is not None


def _is_list(text: str, words: Sequence[Token]) -> bool:
    """Return whether words are separated by more than spaces."""
    if any(not one.quoted and len(split_names(undecorated(one.value))) > 1 for one in words):
        return True
    between = (text[first.end - 1 : then.start] for first, then in itertools.pairwise(words))
    return any(map(is_listed, between))


def _names(words: Sequence[Token]) -> Iterator[str]:
    for token in words:
        if token.quoted:
            if not QUOTES & set(token.value):
                yield token.value
            continue
        for one in split_names(undecorated(token.value)):
            name = undecorated(one)
            if is_unclear(name) and not secrets.is_url(name):
                continue
            if not (is_filler(token) or holds_mention(name) or is_duration(name)):
                yield name


def likely_names(names: Sequence[str], *, listed: bool) -> Sequence[str]:
    """Return the names of a list; of a sentence only what is no word of it."""
    if all(len(name) == 1 for name in names):
        # Nobody writes a sentence of letters: `a` is no article here.
        return names
    if listed:
        return [name for name in names if name.casefold() not in _OF_COMMAND]
    others = [name for name in names if name.casefold() not in WORDS]
    shaped = [name for name in others if is_shaped(name)]
    if shaped:
        return shaped
    return others if len(others) == len(names) else others[:1]


def _value(token: Token) -> str:
    return quoted(token.value) if token.quoted else token.value
