"""The commands that hold a target, or release it."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from bot.catalog import effects
from bot.commands.arguments import assign
from bot.commands.context import Context
from bot.commands.decoration import holds_several, is_filler, is_unclear, split_names, undecorated
from bot.commands.defaults import missing_account
from bot.commands.diagnostics import CommandError, hiding, printable
from bot.commands.formatting import EVERYTHING, example, quoted
from bot.commands.offers import SAME_WAY, offering, parsed
from bot.commands.parsed import Assignment, Interpretation
from bot.commands.several import names_among
from bot.commands.spoken_keys import without_keys
from bot.commands.tokens import Token, tokenize
from bot.commands.unclear import is_labelled
from bot.commands.values import read_account, read_case, read_value
from bot.errors import ParseError
from bot.model.actions import Action, Json
from bot.model.commands import Command
from bot.redact import redact

_ONE_TARGET = (
    "One command is for one target: send one for each name, or quote a name that has a space "
    "or a comma."
)


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
            way = f"add {param.word}={param.word.upper()}"
            raise context.error(f"{param.word} is missing: {way} ({param.help}).", None)
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
        name = _target_by_name(context, text, typed)
        if name:
            return _without_key(context, name, typed), vocabulary.meant
        outer = _in_outer_text(context, error, typed)
        names = _targets_by_name(context, action, text)
        if typed is None and (unclear := _unclear_name(context, text)):
            raise unclear from None
        if names:
            outer = context.error(_ONE_TARGET, typed)
        names = names or _targets_of(context, error, interpret_stop)
        kept = (token for name, token in places.items() if name != "Target")
        rest = "".join(f" {context.text[one.start : one.end]}" for one in kept)
        ways = (one if one.count(" ") == 1 else f"Target={quoted(one)}" for one in names)
        raise offering(outer, (f"{word.value} {way}{rest}" for way in ways)) from None
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


def _target_by_name(context: Context, text: str, typed: Token | None) -> str:
    """Return the target of a text like `stream cam7`; empty if it names none, or several."""
    actions, words = context.vocabulary.actions, _bare_words(context, text)
    if typed is None and len(words) > 1:
        return effects.parse_hold_target(words, actions, context.now)
    # As one value, what stands last may hold spaces.
    words = " ".join(words).split(" ")
    ways = ([*words[:count], " ".join(words[count:])] for count in range(1, len(words)))
    names = (effects.parse_hold_target(way, actions, context.now) for way in ways)
    return next(filter(None, names), "")


def _unclear_name(context: Context, text: str) -> CommandError | None:
    """Return the error of a text like `stream all`, whose one name may be none; else None."""
    try:
        tokens = [token for token in tokenize(text) if token.name.casefold() != "account"]
    except ParseError:
        return None
    if len(tokens[1:]) != 1 or any(one.name or one.quoted for one in tokens):
        return None
    sort, name = undecorated(tokens[0].value), tokens[1]
    is_sort = effects.parse_hold_target((sort, "x"), context.vocabulary.actions, context.now)
    if not is_sort or holds_several(undecorated(name.value)):
        return None
    shown = printable(name.value)
    way = f", or quote it if it is the name: {quoted(shown)}" if shown == name.value else ""
    return context.error(f"Write the name of one {sort} without marks around it{way}.", name)


def _targets_by_name(context: Context, action: Action, text: str) -> list[str]:
    """Return each target of a text like `stream a, b`."""
    sort, *words = _bare_words(context, text, split=True) or ("",)
    if not words:
        return []
    tokens = [token for token in tokenize(text) if not (token.name or is_filler(token))]
    actions = context.vocabulary.actions
    inner = Context(text, context.vocabulary, context.now)
    names = names_among(inner, action, without_keys(text, tokens[1:]))
    targets = [effects.parse_hold_target((sort, name), actions, context.now) for name in names]
    return list(dict.fromkeys(filter(None, targets)))


def _targets_of(
    context: Context, error: CommandError, interpret_stop: Callable[[Context], Interpretation]
) -> list[str]:
    """Return the target of each stop that an error offers."""
    texts = (text.replace(SAME_WAY, "") for text in error.alternatives)
    names = (
        effects.hold_target(stop.action, stop.params)
        for _, stop in parsed(texts, context, lambda inner: interpret_stop(inner).result)
        if isinstance(stop, Command)
    )
    return list(dict.fromkeys(filter(None, names)))


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


def _bare_words(context: Context, text: str, *, split: bool = False) -> Sequence[str]:
    """Return the words of a text without an account; none if it names other values.

    Args:
        split: Whether a word that lists several names stands for each of them.
    """
    try:
        tokens = [token for token in tokenize(text) if token.name.casefold() != "account"]
    except ParseError:
        return ()
    found: list[str] = []
    for token in tokens:
        if split and is_filler(token):
            continue
        if token.glued and not split:
            return ()
        if token.quoted:
            words = [*token.glued] or [token.value]
        elif split:
            words = [undecorated(one) for one in split_names(undecorated(token.value))]
        else:
            words = [undecorated(token.value)]
        is_one = all(_is_one_name(context, word) for word in words)
        if token.name or not (token.quoted or is_one):
            return ()
        found += words
    return found


def _is_one_name(context: Context, word: str) -> bool:
    if word.casefold() in EVERYTHING or is_labelled(context.vocabulary, word):
        return False
    return not (holds_several(word) or is_unclear(word))
