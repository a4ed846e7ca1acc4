"""The verb and the action that a text names."""

from collections.abc import Sequence

from bot.commands.context import Context
from bot.commands.decoration import is_greeting, plain_word, undecorated
from bot.commands.diagnostics import CommandError, printable
from bot.commands.formatting import command_prefix, quoted
from bot.commands.offers import (
    REQUEST_WAYS,
    REQUESTS,
    STREAM_KINDS,
    about_address,
    about_host,
    about_names,
    about_stream,
    about_verbs,
    offering,
    renamed,
)
from bot.commands.secrets import is_url
from bot.commands.sentences import WORDS, reverses
from bot.commands.several import is_shaped
from bot.commands.spoken_keys import without_keys
from bot.commands.suggestions import ask_for_verb, cannot, commands_for, direction_of, unknown_word
from bot.commands.tokens import Token, tokenize
from bot.commands.unread_times import read_time, unread_error, unread_time
from bot.commands.vocabulary import KEYWORDS, VERBS, Vocabulary
from bot.model.actions import Action, Effect, Param


def split_verb(
    context: Context, tokens: list[Token], verb: Effect | None
) -> tuple[list[Token], Effect | None]:
    """Return the tokens after the verb, and the verb.

    Args:
        verb: The one that the way in implies, if any.
    """
    tokens = _plain_first(context, tokens)
    while tokens and not tokens[0].name and verb is not Effect.READ:
        typed = VERBS.get(tokens[0].value.casefold())
        if typed is None:
            break
        if verb is not None and typed not in (verb, Effect.READ):
            error = context.error(
                f"This is the command that {verb.value}s. "
                f"Use /{typed.value}stream to {typed.value} something.",
                tokens[0],
            )
            raise offering(error, (context.text[tokens[0].start :],))
        tokens, verb = _plain_first(context, tokens[1:]), typed
    return tokens, verb


def _plain_first(context: Context, tokens: list[Token]) -> list[Token]:
    """Return the tokens, the first one without decoration unless it names a target as it is."""
    targets = context.vocabulary.targets
    while tokens and is_greeting(tokens[0]) and tokens[0].value not in targets:
        tokens = tokens[1:]
    if not tokens or tokens[0].value in targets:
        return tokens
    return [plain_word(tokens[0]), *tokens[1:]]


def find_action(word: str, verb: Effect | None, vocabulary: Vocabulary) -> Action | None:
    """Return an action by its API name, or by its words and verb.

    Under the verb `status`, only a read is returned.
    """
    called, folded = _called(word, vocabulary), word.casefold()
    reads = verb is Effect.READ
    by_name = [a for a in called if a.api.casefold() == folded]
    found = [a for a in by_name if a.effect is verb or not reads]
    found += [a for a in called if a.words == folded and a.effect is verb]
    if reads and not found:
        status_reads = {a.status_read for a in called}
        found = [a for a in vocabulary.actions if a.api in status_reads]
    return found[0] if found else None


def resolve_action(context: Context, token: Token, verb: Effect | None) -> Action:
    """Return the action that a word names under a verb.

    Raises:
        CommandError: There is none; the error suggests what may be meant.
    """
    word, vocabulary = token.value, context.vocabulary
    found = find_action(word, verb, vocabulary)
    if found is not None:
        return found
    others = _called(word, vocabulary)
    if others and verb is None:
        error = context.error(ask_for_verb(word, others), token)
        raise offering(error, about_verbs(context, token, others))
    if others:
        ways = commands_for(others, verb, vocabulary)
        raise context.error(f'"{printable(word)}" {cannot(verb)}; there is {ways}.', token)
    synonymous = [a for a in vocabulary.actions if word.casefold() in a.synonyms]
    if synonymous and verb is not Effect.READ:
        ways = ", and ".join(f"{command_prefix(a)} {a.summary}" for a in synonymous)
        error = context.error(f'There is no command "{printable(word)}"; {ways}.', token)
        raise offering(error, [renamed(context, token, action) for action in synonymous])
    raise _unknown_kind(context, token, verb)


def _unknown_kind(context: Context, token: Token, verb: Effect | None) -> CommandError:
    """Return the error of a first word that is no command: a stream's name, a request, a slip."""
    word, vocabulary = token.value, context.vocabulary
    written = tokenize(context.text)
    following = [one for one in written if one.start >= token.start]
    starts = direction_of(word) is Effect.START
    names = () if is_shaped(word) and not starts else about_names(context, token, following, verb)
    alternatives = (*(names or about_stream(context, token, verb)), *about_host(word, verb))
    kinds = list(dict.fromkeys(a.words for a in vocabulary.actions if verb in (None, a.effect)))
    if requests := REQUESTS.get(word.casefold()):
        ways = ", ".join(REQUEST_WAYS[one] for one in requests)
        error = context.error(f'"{printable(word)}" is not a command; {ways}.', token)
        return offering(error, (*names, *requests))
    rest = following[1:]
    if not names and verb in (None, Effect.STOP) and any(is_shaped(one.value) for one in rest):
        time, others = read_time(rest)
        if time is None:
            return unread_error(context, unread_time(others, strict=False) or token)
    known = [*kinds, *vocabulary.targets, *KEYWORDS, *(a.api for a in vocabulary.actions)]
    name = "and its name" if names or reverses(word) else quoted(printable(word))
    error = unknown_word(
        context,
        f'There is no command "{printable(word)}"',
        f"; if it is a stream, write what to do with it: {' or '.join(STREAM_KINDS[verb])} "
        f"{name}. The command help lists every one.",
        token,
        word,
        # A word of a sentence is no slip: `status of stream1` is not `off`.
        known=[] if names and word.casefold() in WORDS else known,
    )
    if error.suggestion:
        return error
    addresses = [one for one in written if not one.name and is_url(one.value)]
    if is_url(word) or len(addresses) == 1:
        # An encoder's command line has its address somewhere in it.
        ways = " or ".join(STREAM_KINDS[verb])
        sentence = f"Say first what to do with this address: {ways}. The command help lists all."
        if not is_url(word):
            alternatives = names or _about_address(context, addresses[0], following, verb)
        return offering(context.error(sentence, token), alternatives)
    return offering(error, alternatives)


def _about_address(
    context: Context, address: Token, tokens: Sequence[Token], verb: Effect | None
) -> tuple[str, ...]:
    """Return the commands for the one address in a text, if no other word may change them."""
    time, rest = read_time(without_keys(context.text, tokens))
    if time != "" or any(reverses(undecorated(one.value)) for one in rest):
        return ()
    return about_address(address, verb)


def longer_variant(action: Action, tokens: Sequence[Token], vocabulary: Vocabulary) -> Action:
    """Return the action that does the same until a given time, if the text gives one."""
    longer = longer_action(action, vocabulary)
    if longer is None or longer.expiry is None:
        return action
    expiry = longer.param(longer.expiry[0])
    foreign = (t for t in tokens if t.name and action.param(t.name) is None)
    return longer if any(longer.param(token.name) is expiry for token in foreign) else action


def longer_action(action: Action, vocabulary: Vocabulary) -> Action | None:
    """Return the action that does the same until a given time, if there is one."""
    return next(iter(_called(action.longer_variant or "", vocabulary)), None)


def times_of(context: Context, action: Action) -> list[Param]:
    """Return the parameters of an action, or of what it does until a time, that are times ahead."""
    longer = longer_action(action, context.vocabulary)
    both = (action,) if longer is None else (action, longer)
    return [p for one in both for p in one.params if p.type.max_days_ahead is not None]


def local_action(word: str, vocabulary: Vocabulary) -> Action | None:
    """Return the action of that name that the bot performs itself."""
    return next((a for a in _called(word, vocabulary) if a.product.local), None)


def _called(word: str, vocabulary: Vocabulary) -> Sequence[Action]:
    return vocabulary.called.get(word.casefold(), ())
