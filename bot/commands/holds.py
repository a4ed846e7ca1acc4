"""The commands that hold a target, or release it."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from bot.catalog import effects
from bot.commands.arguments import assign
from bot.commands.context import Context
from bot.commands.decoration import holds_several, is_unclear, undecorated
from bot.commands.defaults import missing_account
from bot.commands.diagnostics import CommandError, hiding, printable
from bot.commands.formatting import example
from bot.commands.parsed import Assignment, Interpretation
from bot.commands.tokens import Token, tokenize
from bot.commands.values import read_account, read_case, read_value
from bot.errors import ParseError
from bot.model.actions import Action, Json
from bot.model.commands import Command
from bot.redact import redact


def parse_hold(
    context: Context,
    action: Action,
    tokens: Sequence[Token],
    interpret_stop: Callable[[Context], Interpretation],
) -> Command:
    """Return the command for a target that is typed as for a stop.

    Args:
        action: The one that holds or releases.
        interpret_stop: Interprets a text under the verb `stop`.
    """
    places = _own_places(context, action, tokens)
    target, target_account = _hold_target(context, action, tokens[0], places, interpret_stop)
    values: dict[str, Json] = {"Target": target}
    for param in action.params:
        place = places.get(param.api)
        if param.api not in values and place is not None:
            values[param.api] = read_value(context, param, place, redact(place.value))
        elif param.api not in values:
            way = f"add {param.word}={param.word.upper()}, {param.help}"
            raise context.error(f"{param.word} is missing: {way}.", None)
    account, case = places.get("Account"), places.get("Case")
    name = read_account(context, account) if account else target_account
    if not name:
        raise context.error(missing_account(context.vocabulary), None)
    return Command(action, values, "", name, read_case(context, case) if case else "")


def _own_places(context: Context, action: Action, tokens: Sequence[Token]) -> Mapping[str, Token]:
    """Return the tokens of the action's own parameters, by their names."""
    names = {name for p in action.params for name in (p.word, p.api.casefold())}
    assignment = Assignment()
    for token in tokens[1:]:
        if token.name.casefold() in names | {"account", "case"}:
            assignment = assign(context, action, token, assignment)
    return assignment.places


def _hold_target(
    context: Context,
    action: Action,
    word: Token,
    places: Mapping[str, Token],
    interpret_stop: Callable[[Context], Interpretation],
) -> tuple[str, str]:
    """Return the name of the target, and the account that its words mean.

    Args:
        word: The token that named the action.
        places: The tokens of the action's own parameters.
    """
    typed = places.get("Target")
    own = [word, *(token for name, token in places.items() if name != "Account")]
    text = typed.value if typed else _blank(context.text, own)
    vocabulary = context.vocabulary
    try:
        inner = interpret_stop(Context(text, vocabulary, context.now))
    except CommandError as error:
        name = effects.parse_hold_target(_bare_words(text), vocabulary.actions, context.now)
        if name:
            return _without_key(context, name, typed), vocabulary.meant
        raise _in_outer_text(context, error, typed) from None
    stop = inner.result
    if not isinstance(stop, Command):
        raise context.error(f"Say what, for example: {example(action)}", None)
    with hiding(inner.hidden if typed is None else frozenset()):
        name = effects.hold_target(stop.action, stop.params)
        if not name or not effects.comes_back(stop.action, vocabulary.actions):
            problem = f"Nothing starts again what {stop.action.api} stops, so it needs no hold."
            raise context.error(problem, None)
        key = {*stop.action.effect_spec.key, "Region", "Account", "Case"}
        more = next((token for name, token in inner.places.items() if name not in key), None)
        if more is not None:
            problem = f'A {action.words} takes no "{printable(more.name or more.value)}".'
            raise context.error(problem, typed or more)
        return _without_key(context, name, typed), stop.account


def _in_outer_text(context: Context, error: CommandError, typed: Token | None) -> CommandError:
    """Return an error of a target's text as one of the whole text."""
    if typed:
        return context.error(error.sentence, typed, verbatim=error.verbatim)
    return CommandError(
        error.sentence,
        text=context.text,
        start=error.start,
        end=error.end,
        suggestion=error.suggestion,
        hidden=error.hidden,
        verbatim=error.verbatim,
    )


def _without_key(context: Context, target: str, typed: Token | None) -> str:
    if redact(target) != target:
        raise context.error("A key stands in that name; name the stream alone.", typed)
    return target


def _blank(text: str, tokens: Iterable[Token]) -> str:
    """Return a text with spaces in place of some tokens, so that all positions stay valid."""
    for token in tokens:
        text = text[: token.start] + " " * (token.end - token.start) + text[token.end :]
    return text


def _bare_words(text: str) -> str:
    """Return the words of a text without an account; empty if it names other values."""
    try:
        tokens = [token for token in tokenize(text) if token.name.casefold() != "account"]
    except ParseError:
        return ""
    if any(token.name or not (token.quoted or _is_one_name(token.value)) for token in tokens):
        return ""
    return " ".join(token.value if token.quoted else undecorated(token.value) for token in tokens)


def _is_one_name(word: str) -> bool:
    name = undecorated(word)
    return not (holds_several(name) or is_unclear(name))
