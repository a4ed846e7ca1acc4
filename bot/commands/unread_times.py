"""What looks like a time and is not understood: it is asked about, and no button leaves it out."""

import itertools
import re
from collections.abc import Iterable, Sequence

from bot.commands.context import Context
from bot.commands.decoration import joined_durations, split_names, undecorated
from bot.commands.diagnostics import CommandError
from bot.commands.tokens import Token
from bot.times import is_duration

_UNITS = (
    "s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|wks?|weeks?|mo|months?|y|yrs?|years?"
    "|sekunden?|minuten?|stunden?|std|tage?n?|wochen?|monate?n?|jahre?n?|uhr"
    "|secondes?|heures?|jours?|semaines?|mois|ans|segundos?|minutos?|horas?|d\u00edas?|dias?|semanas?"
    "|mes|meses|a\u00f1os?|minuti|ore|giorni|uur|dagen|weken"
    "|\u4e2a?\u5c0f\u65f6|\u5206\u949f?|\u79d2\u949f?|\u5929|\u5468|\u4e2a?\u6708|\u5e74|\u70b9"
    "|\u0447\u0430\u0441\u0430?|\u0447\u0430\u0441\u043e\u0432|\u043c\u0438\u043d\u0443\u0442\u044b?"
    "|\u0434\u043d\u044f|\u0434\u043d\u0435\u0439"
)
_UNIT = re.compile(rf"(?:{_UNITS})", re.IGNORECASE)
_PART = re.compile(
    rf"[0-9]+(?:[.,][0-9]+)?(?:{_UNITS})"
    r"|[0-9]{1,2}[:.h\uff1a][0-9]{2}(?::[0-9]{2})?(?:am|pm|z|uhr)?|[0-9]{1,2}(?:am|pm|h|uhr)"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}(?:t[0-9:.]*(?:z|[+-][0-9:]+)?)?"
    r"|[0-9]{1,2}[./][0-9]{1,2}[./](?:[0-9]{2}){0,2}"
    r"|(?:for|until|till|til|bis|f\u00fcr|pour|por|para)[:=\uff1a\uff1d].*",
    re.IGNORECASE,
)
_WORDS = frozenset(
    """
    forever permanently permanent indefinitely always eternally
    tomorrow midnight noon midday o'clock ago
    monday tuesday wednesday thursday friday saturday sunday
    immer dauerhaft unbegrenzt morgen mitternacht toujours demain minuit siempre ma\u00f1ana
    \u6c38\u4e45 \u6c38\u8fdc \u660e\u5929 \u660e\u65e9
    twelve fifteen twenty thirty forty sixty ninety half
    """.split()  # noqa: SIM905
)
_ALSO_REASONS = frozenset({"today", "tonight", "morning", "evening", "weekend", "now", "heute"})
"""Words that say why or since when just as well."""

_BEFORE = frozenset({"until", "till", "til", "bis", "for", "f\u00fcr", "jusqu'\u00e0", "hasta"})
_DELAYING = frozenset({"in", "after"})


def unread_time(tokens: Iterable[Token], *, strict: bool) -> Token | None:
    """Return the first bare word that looks like a part of a time; None if there is none.

    Args:
        tokens: The words that nothing has taken for a value.
        strict: The command has an end: what may say when it is counts, too.
    """
    for token in tokens:
        if not token.name and not token.quoted and any(map(_looks_like_time, _parts(token))):
            return token
        if strict and undecorated(token.value).casefold() in _ALSO_REASONS | _BEFORE:
            return token
    return None


def _parts(token: Token) -> list[str]:
    whole = undecorated(token.value)
    return [whole, *map(undecorated, split_names(whole))]


def _looks_like_time(word: str) -> bool:
    is_time = is_duration(word) or _PART.fullmatch(word) is not None
    return (
        is_time
        or word.casefold() in _WORDS
        or (len(word) > 1 and _UNIT.fullmatch(word) is not None)
    )


def delaying(tokens: Sequence[Token], time: str) -> Token | None:
    """Return the word that puts a length of time off, `in 30m`; None if there is none.

    Args:
        time: The word for the parameter that a length of time was taken for.
    """
    for token, following in itertools.pairwise(tokens):
        is_word = not token.name and undecorated(token.value).casefold() in _DELAYING
        if is_word and (following.name == time or is_duration(undecorated(following.value))):
            return token
    return None


def unread_error(context: Context, token: Token) -> CommandError:
    """Return the error of a time that is not understood."""
    return context.error(
        "This time is not understood: write one length like 30m, 2h30m or 7d, or an end like "
        "until 2026-12-31T10:00Z.",
        token,
    )


def delayed_error(context: Context, token: Token) -> CommandError:
    """Return the error of a command for later."""
    return context.error(
        "A command runs at once, not later: leave the delay out, or write for=30m for how long "
        "a ban lasts.",
        token,
    )


_AN_END = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:t[0-9:.]+(?:z|[+-][0-9:]+)?)?", re.IGNORECASE)
_HOUR = re.compile(r"(?:[01]?[0-9]|2[0-4]) ?h(?: ?[0-5]?[0-9]m?)?", re.IGNORECASE)
_ENDING = frozenset({"until", "till", "til"})


def read_time(tokens: Sequence[Token]) -> tuple[str | None, list[Token]]:
    """Return the one time in a sentence as it is typed in a command, and all other tokens.

    The time is empty if there is none, and None if it is not understood, or there are several.
    """
    times: list[str] = []
    rest: list[Token] = []
    for token in joined_durations(tokens):
        value = undecorated(token.value)
        before = undecorated(rest[-1].value).casefold() if rest and not rest[-1].name else ""
        if token.name or token.quoted:
            rest.append(token)
        elif is_duration(value) and not (before in _ENDING and is_hour(value)):
            times.append(value)
            del rest[len(rest) - (before in _BEFORE) :]
        elif before in _ENDING and _AN_END.fullmatch(value):
            times.append(f"until {value}")
            rest.pop()
        else:
            rest.append(token)
    time, *more = times or [""]
    is_read = not more and unread_time(rest, strict=False) is None
    return (time if is_read else None), rest


def is_hour(value: str) -> bool:
    """Return whether a length like `14h` may as well be an hour of the day."""
    return _HOUR.fullmatch(value) is not None
