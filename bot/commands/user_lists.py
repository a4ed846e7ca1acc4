"""Lists in several words: `users=u1, u2` and `u1 and u2`; pure."""

import re
from dataclasses import replace

from bot.commands.context import Context
from bot.commands.decoration import undecorated
from bot.commands.parsed import Assignment
from bot.commands.tokens import Token
from bot.model.actions import Action, Param

_SEPARATORS = ",;|\u3001\uff0c\uff1b\uff5c"
_LISTED = re.compile(rf"[{_SEPARATORS}&+/]|\band\b", re.IGNORECASE)


def continued(
    context: Context, action: Action, token: Token, assignment: Assignment
) -> Assignment | None:
    """Return the assignment with a bare word as one more part of the list right before it.

    None if no list is right before it, or if another parameter may take the word.

    Raises:
        CommandError: Nothing separates the word from the list.
    """
    param = next((one for one in action.params if one.type.json == "array<string>"), None)
    place = assignment.places.get(param.api) if param is not None else None
    if param is None or place is None or token.name or not _is_next(token, place, assignment):
        return None
    value = token.value if token.quoted else undecorated(token.value.lstrip(_SEPARATORS))
    if _LISTED.search(context.text, place.end - 1, token.start + 1) or value.startswith("@"):
        joined = replace(place, value=f"{place.value},{value}", end=token.end)
        return assignment.place(param.api, joined)
    if value.isdecimal() or not _has_name(action.params[0], assignment):
        return None
    way = f"write {param.word}={param.type.example or param.example}."
    raise context.error(f"Separate the {param.word} with commas: {way}", token, verbatim=way)


def _is_next(token: Token, place: Token, assignment: Assignment) -> bool:
    """Return whether no other argument stands between a place and a later token."""
    others = (one.start for one in assignment.places.values())
    return place.end <= token.start and not any(place.end <= at < token.start for at in others)


def _has_name(param: Param, assignment: Assignment) -> bool:
    return param.api in assignment.places or param.api in assignment.base.values
