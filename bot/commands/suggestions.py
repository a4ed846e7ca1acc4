"""What a user probably meant: similar words, verbs and commands to use instead."""

import re
from collections.abc import Iterable

from bot.commands.context import Context
from bot.commands.diagnostics import CommandError, printable
from bot.commands.formatting import command_prefix
from bot.commands.tokens import Token
from bot.commands.vocabulary import VERBS, Vocabulary
from bot.model.actions import Action, Effect

_PAST = {Effect.STOP: "stopped", Effect.START: "started"}
_UN = re.compile("un", re.IGNORECASE)
_DIRECTION = re.compile(
    "(?P<start>un|start|restart|resume|re-?enable|re-?open|revive|continue|go on"
    "|enable|allow|add|create)"
    "|(?P<stop>stop|drop|forbid|disable|dismiss|ban|block|kill|cut|delete|destroy|remove)",
    re.IGNORECASE,
)
"""The beginning of a word that starts or stops something."""


def unknown_word(
    context: Context,
    sentence: str,
    otherwise: str,
    token: Token,
    word: str,
    *,
    known: Iterable[str],
) -> CommandError:
    """Return the error of an unknown word, with the most similar known one if there is any.

    Args:
        otherwise: How the sentence ends if no word is similar.
    """
    typed = word.casefold()
    most = _slips(typed)
    folded = {
        fold: name
        for name in known
        # Nearly all are too long or too short: only the others are looked at.
        if abs(len(fold := name.casefold()) - len(typed)) <= most and not _is_opposite(word, name)
    }
    near = closest(typed, folded)
    if not near:
        return context.error(sentence + otherwise, token)
    suggestion = folded[near]
    return context.error(f'{sentence}. Did you mean "{suggestion}"?', token, suggestion=suggestion)


def closest(word: str, known: Iterable[str]) -> str:
    """Return the known word that a slip of the fingers makes of this one; or empty."""
    most = _slips(word)
    distances = {name: edit_distance(word, name) for name in known if _may_be(word, name, most)}
    best = min(distances, key=distances.__getitem__, default="")
    return best if best and distances[best] <= most else ""


def _may_be(word: str, name: str, most: int) -> bool:
    """Return whether two words are alike enough to be compared letter by letter.

    Each of at most so many slips changes the length by one, and takes and brings one letter.
    """
    if abs(len(name) - len(word)) > most:
        return False
    return _lacks_few(word, name, most) and _lacks_few(name, word, most)


def _lacks_few(word: str, name: str, most: int) -> bool:
    """Return whether a word lacks at most so many letters of another one, wherever they stand."""
    rest = word
    for letter in name:
        rest = rest.replace(letter, "", 1)
    return len(rest) <= most


def _slips(word: str) -> int:
    """Return how many slips a word of this length may have."""
    return min(_MOST_SLIPS, max(1, len(word) // _LETTERS_PER_SLIP))


_MOST_SLIPS = 3
_LETTERS_PER_SLIP = 4


def edit_distance(first: str, second: str) -> int:
    """Return how many letters are added, left out, replaced or swapped with the next one."""
    rows = [list(range(len(second) + 1))]
    for i, letter in enumerate(first, 1):
        row = [i]
        for j, other in enumerate(second, 1):
            cost = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (letter != other))
            if i > 1 < j and letter == second[j - 2] and other == first[i - 2]:
                cost = min(cost, rows[-2][j - 2] + 1)
            row.append(cost)
        rows.append(row)
    return rows[-1][-1]


def ask_for_verb(word: str, actions: Iterable[Action]) -> str:
    """Return a sentence that asks for the verb, or for the API's name if it has no verb."""
    verbs = frozenset(VERBS.values())
    ways = [
        f'"{a.effect.value} {printable(word)}"' if a.effect in verbs else f'"{a.api}"'
        for a in actions
    ]
    return f"Say what to do with it: {' or '.join(ways)}."


def commands_for(actions: Iterable[Action], verb: Effect | None, vocabulary: Vocabulary) -> str:
    """Return the commands of actions, and those that undo them under a verb."""
    actions = tuple(actions)
    ways = " and ".join(f"{command_prefix(action)}" for action in actions)
    undos = (undo for action in actions if (undo := undo_command(action, verb, vocabulary)))
    return ways + "".join(f", and {undo}" for undo in dict.fromkeys(undos))


def undo_command(action: Action, verb: Effect | None, vocabulary: Vocabulary) -> str:
    """Return the command that undoes an action; empty if the verb has none."""
    undo = (a for a in vocabulary.actions if a.api == action.undo and a.effect is verb)
    return next((f"{command_prefix(a)} takes it back" for a in undo), "")


def cannot(verb: Effect | None) -> str:
    """Return the predicate of an action that does not fit a verb."""
    return f"cannot be {_PAST[verb]}" if verb in _PAST else "has no status to read"


def _is_opposite(word: str, name: str) -> bool:
    """Return whether one of two words starts what the other stops."""
    first, second = direction_of(word), direction_of(name)
    # No known word is undone by its own "un": `unban` is not `ban`.
    return first != second and (None not in (first, second) or _UN.match(word) is not None)


def direction_of(word: str) -> Effect | None:
    """Return whether a word begins like one that starts or that stops something."""
    found = _DIRECTION.match(word)
    if found is None:
        return None
    return Effect.START if found["start"] else Effect.STOP
