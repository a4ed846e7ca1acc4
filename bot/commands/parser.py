"""Parsing of a typed text: tokens, then action, arguments, defaults and command; pure."""

from collections.abc import Sequence
from dataclasses import replace

from bot.commands import secrets
from bot.commands.actions import local_action, longer_variant, resolve_action, split_verb
from bot.commands.arguments import parse_arguments
from bot.commands.audit_query import parse_audit
from bot.commands.binding import bind_words
from bot.commands.context import Context
from bot.commands.decoration import plain_tokens
from bot.commands.defaults import complete_command
from bot.commands.diagnostics import CommandError, hiding, redact_error
from bot.commands.holds import parse_hold
from bot.commands.offers import about_pair, offering, runnable
from bot.commands.parsed import (
    Form,
    Help,
    Interpretation,
    OffAir,
    ParsedArguments,
    ParseResult,
    WhoAmI,
)
from bot.commands.spoken_keys import spoken_keys, values_of
from bot.commands.targets import find_target, resolve_target
from bot.commands.tokens import Token, unescape
from bot.commands.vocabulary import VERBS, Vocabulary
from bot.model.actions import Action, Effect
from bot.model.commands import HOLD_TARGET
from bot.redact import redact

LONGEST = 4000
"""Characters that a text may have after unescaping."""

MOST_WORDS = 60
"""Words that it may have outside of quotes: each is looked at many times, also for the offers."""

# Slack's escapes make a text at most five times longer.
_LONGEST_ESCAPED = 5 * LONGEST
_LONGEST_EXCERPT = 80
_LONGEST_TOPIC = 64


def parse(text: str, *, verb: Effect | None, vocabulary: Vocabulary, now: float) -> ParseResult:
    """Return what a text asks for.

    Args:
        text: As typed, with Slack's escapes, without a leading mention of the bot.
        verb: The one that the way in implies; None if the text must contain it.
        now: Epoch seconds, for times like `for=7d`.

    Raises:
        ParseError: It is not a command; positions refer to its own `text`, which holds no
            stream keys.
    """
    unescaped = unescape(text[: _LONGEST_ESCAPED + 1])
    if len(text) > _LONGEST_ESCAPED or len(unescaped) > LONGEST:
        raise redact_error(_too_long(f"That is longer than {LONGEST} characters.", unescaped))
    context = Context(unescaped, vocabulary, now)
    try:
        return _interpret(context, verb).result
    except CommandError as error:
        spans = spoken_keys(error.text)
        error.hidden |= spans
        error.keys = values_of(error.text, spans)
        redacted = redact_error(error)
        redacted.commands = runnable(error, context, verb, _interpret_alone)
    # Raised outside of the handler, so that the unredacted error is not its context.
    raise redacted


def _too_long(sentence: str, text: str) -> CommandError:
    """Return the error of a text that is read no further; the path of a URL may be a key."""
    start = redact(text, _LONGEST_EXCERPT).partition("://")[0]
    return CommandError(sentence, text=start, start=0, end=len(start))


def _interpret(context: Context, verb: Effect | None) -> Interpretation:
    tokens = secrets.tokenize_hiding_secrets(context)
    if len(tokens) > MOST_WORDS:
        raise _too_long(f"That is more than {MOST_WORDS} words.", context.text)
    named = secrets.named(tokens, context.vocabulary)
    with hiding(named):
        tokens = plain_tokens(tokens, context.vocabulary.targets)
        tokens, verb = split_verb(context, tokens, verb)
        found = _interpret_tokens(context, tokens, verb)
    return replace(found, hidden=found.hidden | named) if named else found


def _interpret_tokens(
    context: Context, tokens: Sequence[Token], verb: Effect | None
) -> Interpretation:
    if not tokens:
        has_form = verb in (Effect.STOP, Effect.START)
        return Interpretation(Form(verb) if verb and has_form else Help(verb.value if verb else ""))
    topic = _help_topic(tokens, verb)
    if topic is not None:
        return Interpretation(Help(redact(topic)[:_LONGEST_TOPIC]))
    word = "" if tokens[0].name else tokens[0].value.casefold()
    if word in ("whoami", "off"):
        if len(tokens) > 1:
            raise context.error(f'"{word}" stands alone.', tokens[1])
        return Interpretation(WhoAmI() if word == "whoami" else OffAir())
    if word == "audit":
        return Interpretation(parse_audit(context, tokens[1:]))
    local = local_action(word, context.vocabulary)
    if local is not None and local.param(HOLD_TARGET) is not None:
        return Interpretation(parse_hold(context, local, tokens, _interpret_stop))
    if local is not None:
        tokens, verb = _without_kind(context, local, tokens), None
    return _interpret_command(context, tokens, verb)


def _interpret_alone(context: Context) -> ParseResult:
    return _interpret(context, None).result


def _interpret_stop(context: Context) -> Interpretation:
    return _interpret(context, Effect.STOP)


def _interpret_command(
    context: Context, tokens: Sequence[Token], verb: Effect | None
) -> Interpretation:
    kind, rest = tokens[0], tokens[1:]
    if kind.name:
        error = context.error("Say first what it is about, for example live.", kind)
        raise offering(error, about_pair(context, kind, verb))
    # The path of a URL may be a key, until the action is known to take none.
    with hiding(secrets.urls(tokens if verb is Effect.START else rest)) as hidden:
        action, base = _resolve(context, kind, verb)
        rest = bind_words(context, action, rest, base)
        if not secrets.takes_secret(action):
            hidden.spans = frozenset()
        if kind.value.casefold() != action.api.casefold():
            action = longer_variant(action, rest, context.vocabulary)
        arguments, assignment = parse_arguments(context, action, rest, base)
        hidden.spans |= secrets.assigned(action, assignment.places)
        command = complete_command(context, action, arguments, assignment, kind)
    return Interpretation(command, assignment.places, hidden.spans)


def _without_kind(context: Context, action: Action, tokens: Sequence[Token]) -> Sequence[Token]:
    """Return the tokens without the kind that stands as in a stop: `watch live stream1`."""
    resource = action.effect_spec.resource_type
    kinds = {a.words for a in context.vocabulary.actions if a.effect_spec.resource_type is resource}
    second = tokens[1] if len(tokens) > 1 else None
    if second is None or second.name or second.quoted or second.value.casefold() not in kinds:
        return tokens
    return [tokens[0], *tokens[2:]]


def _resolve(context: Context, kind: Token, verb: Effect | None) -> tuple[Action, ParsedArguments]:
    """Return the action that the first word names, and the arguments if it is a target."""
    target = find_target(kind.value, context.vocabulary)
    if target:
        return resolve_target(context, replace(kind, value=target), verb)
    return resolve_action(context, kind, verb), ParsedArguments()


def _help_topic(tokens: Sequence[Token], verb: Effect | None) -> str | None:
    """Return the word that help is asked for; None if no help is asked for."""
    flags = [number for number, token in enumerate(tokens) if _is_help_flag(token, number)]
    if not flags:
        return None
    words = [t.name or t.value for number, t in enumerate(tokens) if number not in flags]
    if len(words) > 1 and words[0].casefold() in VERBS:
        words = words[1:]
    if not words:
        return Effect.READ.value if verb is Effect.READ else ""
    effect = VERBS.get(words[0].casefold())
    return effect.value if effect else words[0]


def _is_help_flag(token: Token, number: int) -> bool:
    if token.name:
        return token.name.casefold() == "help" and not token.value
    if token.quoted:
        return False
    # In a later position, "help" may be the name of a stream.
    flags = (("help", "-h", "?"), ("-h", "?"))
    return token.value.casefold() in (flags[number] if number < len(flags) else ("-h",))
