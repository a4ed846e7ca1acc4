"""Commands that are offered in place of a text that is none; each is parsed before it is shown."""

from collections.abc import Callable, Iterable, Mapping

from bot.commands.context import Context
from bot.commands.diagnostics import CommandError, printable
from bot.commands.formatting import command_prefix, format_command, quoted
from bot.commands.parsed import ParseResult
from bot.commands.secrets import takes_secret
from bot.commands.tokens import Token, escape_signs
from bot.errors import SuggestedCommand
from bot.model.actions import Action, Effect
from bot.model.commands import Command
from bot.redact import redact

REQUESTS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("list", "ls", "show", "streams"), ("status online", "off")),
    **dict.fromkeys(("undo", "revert", "rollback", "back"), ("off",)),
}
"""What people type for a list, or to take something back, and the commands for it."""

STREAM_KINDS: Mapping[Effect | None, tuple[str, ...]] = {
    None: ("stop live", "stop ban", "start live", "status live"),
    Effect.STOP: ("live", "ban"),
    Effect.START: ("live",),
    Effect.READ: ("live",),
    Effect.CHANGE: ("live",),
}
"""The kinds for a bare name under each verb."""

MOST = 5
"""Commands that are offered at once."""

_LONGEST = 1500
_LONGEST_LABEL = 60
_VERBS = {Effect.STOP: "stop", Effect.START: "start", Effect.READ: "status"}
_OTHER_LABELS = {
    "OffAir": "What is off",
    "WhoAmI": "What I may do",
    "Help": "Help",
    "Audit": "What ran",
    "Form": "Open the form",
}


def offering(error: CommandError, texts: Iterable[str]) -> CommandError:
    """Return an error with the texts of commands that may be meant."""
    error.alternatives = tuple(texts)
    return error


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


def about_address(token: Token, verb: Effect | None) -> tuple[str, ...]:
    """Return the commands for the stream of the one address in a text, like an encoder's line."""
    return tuple(f"{way} {quoted(token.value)}" for way in _stream_ways(verb))


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
        texts.insert(0, f"{_VERBS[verb]} {corrected}" if verb in _VERBS else corrected)
    found: dict[str, SuggestedCommand] = {}
    for text in dict.fromkeys(texts):
        try:
            result = interpret(Context(text, context.vocabulary, context.now))
        except CommandError:
            continue
        shown = _without_keys(result) if error.hidden or redact(text) != text else text
        if shown and len(shown) <= _LONGEST and redact(shown) == shown:
            label = _label(result)
            found.setdefault(label, SuggestedCommand(label, escape_signs(shown)))
    return tuple(found.values())[:MOST]


def _without_keys(result: ParseResult) -> str:
    """Return a command by its parameters alone; empty if one of them may be a key."""
    if isinstance(result, Command) and not takes_secret(result.action):
        return format_command(result)
    return ""


def _label(result: ParseResult) -> str:
    if not isinstance(result, Command):
        return _OTHER_LABELS[type(result).__name__]
    action = result.action
    if action.words == "online":
        return "What is live"
    if action.effect is Effect.READ:
        return f"Check {result.target or action.words}"[:_LONGEST_LABEL]
    begin = {Effect.STOP: "Stop", Effect.START: "Start"}.get(action.effect, "Change")
    if action.words == "ban":
        begin = "Ban"
    elif action.words != "live":
        begin = f"{begin} {action.words}"
    return printable(f"{begin} {result.target}")[:_LONGEST_LABEL]
