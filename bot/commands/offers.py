"""Commands that are offered in place of a text that is none; each is parsed before it is shown."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from bot.commands.context import Context
from bot.commands.decoration import holds_mention, holds_several, is_unclear, undecorated
from bot.commands.defaults import default_value
from bot.commands.diagnostics import CommandError, printable
from bot.commands.formatting import command_prefix, format_command, quoted
from bot.commands.parsed import Audit, ParseResult
from bot.commands.places import find_places, is_host
from bot.commands.secrets import is_url, takes_secret
from bot.commands.sentences import reverses
from bot.commands.several import is_shaped, names_of
from bot.commands.spoken_keys import without_keys
from bot.commands.suggestions import direction_of
from bot.commands.tokens import Token, escape_signs
from bot.commands.unread_times import read_time
from bot.errors import SuggestedCommand
from bot.model.actions import Action, Effect
from bot.model.commands import Command
from bot.redact import redact
from bot.times import TO_MINUTE, format_duration, format_utc, is_duration, parse_instant

_UNDO = ("undo", "revert", "rollback", "back", "bring", "lift", "restore")
_LOOK = (
    "list",
    "ls",
    "show",
    "is",
    "are",
    "check",
    "what",
    "what's",
    "whats",
    "see",
    "state",
    "which",
)
_TURN = ("turn", "switch", "put", "get", "go", "let", "keep", "leave")
_WHO = ("who", "who's", "whos", "why", "when")
_ANY = ("streams", "stream", "all", "everything", "it", "this", "that", "these", "those", "them")
REQUESTS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys((*_LOOK, *_ANY), ("status online", "off")),
    **dict.fromkeys(_UNDO, ("off",)),
    **dict.fromkeys(("history", "log", "logs", "trail", "report"), ("audit",)),
    **dict.fromkeys(_WHO, ("whoami", "audit")),
}
"""What people type for a list, or to take something back, and the commands for it."""

REQUEST_WAYS: Mapping[str, str] = {
    "off": "off lists what is off and brings it back",
    "status online": "status online lists what is live",
    "audit": "audit lists what ran",
    "whoami": "whoami tells what you may do",
}

STREAM_KINDS: Mapping[Effect | None, tuple[str, ...]] = {
    None: ("stop live", "stop ban", "start live", "status live"),
    Effect.STOP: ("live", "ban"),
    Effect.START: ("live",),
    Effect.READ: ("live",),
    Effect.CHANGE: ("live",),
}
"""The kinds for a bare name under each verb."""

SAME_WAY = "\0"
"""Begins a text that is to be read under the verb that the way in implies."""

MOST = 5
"""Commands that are offered at once."""

_TRIED = 24
"""Texts that are parsed to find them: a sentence may hold a hundred words like names."""

_LONGEST = 1500
_LONGEST_LABEL = 60
_VERBS = {Effect.STOP: "stop", Effect.START: "start", Effect.READ: "status"}
_OTHER_LABELS = {
    "OffAir": "What is off",
    "WhoAmI": "What I may do",
    "Help": "Help",
    "Form": "Open the form",
}


def offering(error: CommandError, texts: Iterable[str]) -> CommandError:
    """Return an error with the texts of commands that may be meant."""
    error.alternatives = tuple(texts)
    return error


def in_place(
    context: Context, token: Token, names: Iterable[str], more: str = ""
) -> tuple[str, ...]:
    """Return the text with each of these names in place of a token, for the same way in."""
    before, after = context.text[: token.start], context.text[token.end :]
    name = f"{token.name}=" if token.name else ""
    return tuple(f"{SAME_WAY}{before}{name}{quoted(one)}{after}{more}" for one in names)


def about_stream(context: Context, token: Token, verb: Effect | None) -> tuple[str, ...]:
    """Return the commands for a stream, by a name or an address that was typed without a kind."""
    written = [context.text[token.start : token.end]]
    if not token.quoted:
        # The query of an address holds its key, but that of SRT also holds the name.
        written.insert(0, token.value.partition("?")[0])
    rest = context.text[token.end :]
    return tuple(
        f"{way} {one}{rest}" for one in dict.fromkeys(written) for way in _stream_ways(verb)
    )


def about_names(
    context: Context, first: Token, tokens: Sequence[Token], verb: Effect | None
) -> tuple[str, ...]:
    """Return the commands for the names among the words of a sentence without a kind.

    There is none where the rest of the sentence is not understood.

    Args:
        first: The word that is no kind, and no name.
        tokens: All words from there on.
    """
    begin = undecorated(first.value).casefold()
    tokens = [one for one in without_keys(context.text, tokens) if one.start != first.start]
    if begin in _WHO:
        words = ((one, undecorated(one.value)) for one in tokens if not one.name)
        return tuple(f"audit target={quoted(word)}" for one, word in words if _is_name(one, word))
    said = {undecorated(one.value).casefold() for one in tokens if not one.name}
    turns_on = begin in _TURN and said & _ON and not said & {"off", "down"}
    if begin in _UNDO or turns_on or direction_of(begin) is Effect.START:
        return _about(context, tokens, ["start live"], Effect.START)
    if begin in _LOOK or verb is Effect.READ:
        return _about(context, tokens, ["status live"], Effect.READ)
    if reverses(begin) and not said & {"off", "down"}:
        return ()
    ways = _stream_ways(verb)
    return _about(context, tokens, ways, Effect.START if verb is Effect.START else Effect.STOP)


_ON = frozenset({"on", "back", "continue"})


def _is_name(token: Token, word: str) -> bool:
    """Return whether a word of a sentence has the shape of one name."""
    if not is_shaped(word) or is_host(word) or is_duration(word) or is_unclear(word):
        return False
    return token.quoted or not (holds_several(word) or holds_mention(word))


def _about(
    context: Context,
    tokens: Sequence[Token],
    ways: Sequence[str],
    effect: Effect,
) -> tuple[str, ...]:
    """Return the commands for the names in a sentence, with its place and its time.

    Args:
        ways: The first words of the commands.
    """
    time, rest = read_time(tokens)
    if time is None and effect is Effect.STOP:
        return ()
    named = {one.name.casefold(): one.value for one in rest if one.name}
    # What was banned goes on again.
    allowed = _ON | {"ban"} if effect is Effect.START else ()
    words = [one for one in rest if not one.name and one.value.casefold() not in allowed]
    places = find_places(words, named)
    if not places.is_clear:
        return ()
    pairs = "".join(f" {name}={quoted(value)}" for name, value in named.items())
    pairs += f" {time}" if time and effect is Effect.STOP else ""
    return tuple(
        f"{way} {quoted(name)}{'' if is_url(name) else places.pairs}{pairs}"
        for way in ways
        # Any word that is not understood may be the time of a ban.
        for name in names_of(context, places.words, effect, strict=way.endswith("ban"))
        if is_shaped(name)
    )


def about_verbs(context: Context, token: Token, actions: Iterable[Action]) -> tuple[str, ...]:
    """Return the text under each verb that its kind may have: `stop ban stream1`."""
    verbs = dict.fromkeys(_VERBS[one.effect] for one in actions if one.effect in _VERBS)
    return tuple(f"{verb} {context.text[token.start :]}" for verb in verbs)


def about_host(word: str, verb: Effect | None) -> tuple[str, ...]:
    """Return the command for a whole push domain, where a word is one."""
    verbs = {None: "stop", Effect.STOP: "stop", Effect.START: "start"}
    return (f"{verbs[verb]} domain {word}",) if verb in verbs and is_host(word) else ()


def about_address(token: Token, verb: Effect | None) -> tuple[str, ...]:
    """Return the commands for the stream of the one address in a text, like an encoder's line."""
    return tuple(f"{way} {quoted(token.value)}" for way in _stream_ways(verb))


def about_pair(context: Context, token: Token, verb: Effect | None) -> tuple[str, ...]:
    """Return the commands for a text that begins with a value by its name, `stream=stream1`."""
    return tuple(f"{way} {context.text[token.start :]}" for way in _stream_ways(verb))


def _stream_ways(verb: Effect | None) -> list[str]:
    prefix = "" if verb is None else f"{_VERBS.get(verb, 'status')} "
    return [f"{prefix}{kind}" for kind in STREAM_KINDS[verb]]


def renamed(context: Context, token: Token, action: Action) -> str:
    """Return the text with another kind in place of a synonym."""
    start = command_prefix(action).removeprefix("/").replace("stream ", " ", 1)
    return f"{start}{context.text[token.end :]}"


def runnable(
    error: CommandError,
    context: Context,
    verb: Effect | None,
    interpret: Callable[[Context], ParseResult],
) -> tuple[SuggestedCommand, ...]:
    """Return the commands of an error that parse, with what was corrected first.

    Args:
        verb: The one that the way in implies.
        interpret: Interprets a text without an implied verb.
    """
    texts = list(error.alternatives)
    if error.suggestion and error.text == context.text:
        corrected = context.text[: error.start] + error.suggestion + context.text[error.end :]
        texts.insert(0, f"{SAME_WAY}{corrected}")
    same_way = f"{_VERBS[verb]} " if verb in _VERBS else ""
    texts = [text.replace(SAME_WAY, same_way) for text in texts if len(text) <= _LONGEST]
    found: dict[str, SuggestedCommand] = {}
    for text, result in parsed(dict.fromkeys(texts), context, interpret):
        if len(found) == MOST:
            break
        shown = _without_keys(result) if error.hidden or redact(text) != text else text
        if any(key in shown for key in error.keys):
            continue
        if shown and len(shown) <= _LONGEST and redact(shown) == shown:
            label = _label(context, result)
            found.setdefault(label, SuggestedCommand(label, escape_signs(shown)))
    return tuple(found.values())


def parsed(
    texts: Iterable[str], context: Context, interpret: Callable[[Context], ParseResult]
) -> Iterator[tuple[str, ParseResult]]:
    """Yield those of the first texts that parse; of one that names several, each of its own."""
    tries = iter(range(_TRIED))
    for text, _ in zip(texts, tries, strict=False):
        try:
            yield text, interpret(Context(text, context.vocabulary, context.now))
        except CommandError as error:
            if SAME_WAY in text or not error.alternatives:
                continue
            inner = (one for one in error.alternatives if SAME_WAY not in one and one != text)
            for one, _ in zip(inner, tries, strict=False):
                with contextlib.suppress(CommandError):
                    yield one, interpret(Context(one, context.vocabulary, context.now))


def _without_keys(result: ParseResult) -> str:
    """Return a command by its parameters alone; empty if one of them may be a key."""
    if isinstance(result, Command) and not takes_secret(result.action):
        case = f" Case={quoted(result.case)}" if result.case else ""
        return f"{format_command(result)}{case}"
    return ""


def _audit_label(query: Audit) -> str:
    """Return what an audit search looks for, as far as one filter tells."""
    if query.name:
        return f"What {query.name} asked"
    if query.target:
        return f"What ran on {query.target}"
    if query.state is not None:
        return f"What ended {query.state.value}"
    return f"What ran of {query.apis[-1]}" if query.apis else "What ran"


def _label(context: Context, result: ParseResult) -> str:
    if isinstance(result, Audit):
        return printable(_audit_label(result))[:_LONGEST_LABEL]
    if not isinstance(result, Command):
        return _OTHER_LABELS[type(result).__name__]
    action = result.action
    if action.words == "online":
        return "What is live"
    if action.effect is Effect.READ:
        return f"Check {result.target or action.words}"[:_LONGEST_LABEL]
    if action.product.local:
        return printable(f"{action.words.capitalize()} {result.target}")[:_LONGEST_LABEL]
    begin = {Effect.STOP: "Stop", Effect.START: "Start"}.get(action.effect, "Change")
    if action.words == "ban":
        begin = "Ban"
    elif action.words != "live":
        begin = f"{begin} {action.words}"
    end = _end(context, result)
    return printable(f"{begin} {result.target}")[: _LONGEST_LABEL - len(end)] + end


def _end(context: Context, command: Command) -> str:
    """Return until when a command is to last, where that is typed; else nothing."""
    seconds = command.spans.get(_ends_at(command))
    if seconds is not None:
        return f" for {format_duration(seconds)}"
    param = next((p for p in command.action.params if p.api == _ends_at(command)), None)
    given = command.params.get(param.api) if param is not None else None
    if param is None or given == default_value(context, command.action, param, command.account):
        return ""
    at = parse_instant(given)
    return "" if at is None else f" until {format_utc(at, TO_MINUTE)}"


def _ends_at(command: Command) -> str:
    """Return the name of the parameter that ends what a command does; empty if it has none."""
    return command.action.expiry[0] if command.action.expiry else ""
