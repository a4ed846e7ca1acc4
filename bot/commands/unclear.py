"""Names that may hold more than the name: marks, labels, and words for everything."""

import html
import re

from bot.commands.context import Context
from bot.commands.decoration import is_unclear, undecorated, without_edges, without_emoji
from bot.commands.diagnostics import CommandError, printable
from bot.commands.formatting import LABEL, is_plain, quoted
from bot.commands.offers import SAME_WAY, in_place, offering
from bot.commands.tokens import Token
from bot.commands.vocabulary import COMMON_NAMES, Vocabulary
from bot.model.actions import Action, Param

_LABELS = frozenset(
    {*COMMON_NAMES, "server", "url", "key", "streamkey", "stream-key", "stream_key", "name", "id"}
    | {"stream-name", "stream_name", "push", "channel", "sid", "uid"}
)
"""What people and encoders write before a name, besides the parameters and the kinds."""

_FIELD = re.compile(r"[&\uff06](?=\w+=)")


def is_labelled(vocabulary: Vocabulary, name: str) -> bool:
    """Return whether an unquoted name begins with what may be its label: `stream:stream1`."""
    found = LABEL.match(name)
    if found is None or not name[found.end() :]:
        return False
    label = name[: found.end() - 1].casefold()
    if not label.isascii() or label in _LABELS or label in vocabulary.called:
        return True
    return any(action.param(label) is not None for action in vocabulary.actions)


def unclear_name(context: Context, param: Param, token: Token) -> CommandError:
    """Return the error of an unquoted name with marks that may be no part of it."""
    shown = printable(token.value)
    if shown != token.value:
        return context.error(f"Write the {param.word} without marks around it.", token)
    if '"' in shown:
        return context.error(
            f"Quotes stand inside this {param.word}: write the name alone, without them.", token
        )
    if _FIELD.search(token.value):
        return _fields(context, param, token)
    if is_labelled(context.vocabulary, undecorated(shown)):
        return _labelled(context, param, token)
    bare = without_edges(html.unescape(without_emoji(undecorated(token.value))))
    where = "in" if bare == shown else "around"
    error = context.error(
        f"The marks {where} this {param.word} may belong to it or not: leave them out, or quote "
        f"it all: {quoted(shown)}.",
        token,
    )
    if undecorated(shown).endswith(("-", "_")):
        # What was taken off may be a sign for any character, so the last letter is not the end.
        bare = undecorated(shown)
    ways = ([bare] if is_plain(bare) else []) + [shown] if bare else []
    return offering(error, in_place(context, token, ways))


def _labelled(context: Context, param: Param, token: Token) -> CommandError:
    shown = undecorated(token.value)
    found = LABEL.match(shown)
    start = found.end() if found else 0
    name = undecorated(shown[start:])
    error = context.error(
        f'"{shown[:start]}" may be a label or belong to this {param.word}: write {quoted(name)}, '
        f"or quote it all: {quoted(shown)}.",
        token,
    )
    ways = ([] if is_unclear(name) else [name]) + [shown]
    return offering(error, in_place(context, token, ways))


def _fields(context: Context, param: Param, token: Token) -> CommandError:
    before, after = context.text[: token.start], context.text[token.end :]
    apart = _FIELD.sub(" ", context.text[token.start : token.end])
    error = context.error(
        f'This {param.word} holds several values: write a space in place of each "&".', token
    )
    return offering(error, (f"{SAME_WAY}{before}{apart}{after}",))


def everything(context: Context, action: Action, token: Token) -> CommandError:
    """Return the error of a word for all of a sort."""
    what, word = action.effect_spec.resource_type.name, printable(token.value)
    return context.error(
        f'One command is for one {what}: write a name in place of "{word}", or quote it if it is '
        f'the name: "{word}".',
        token,
    )
