"""The text of a command as it is typed in a terminal: its implied verb, and errors in it."""

from bot.cli.output import complain
from bot.commands.diagnostics import caret
from bot.commands.parsed import Audit, OffAir, WhoAmI
from bot.errors import ParseError
from bot.model.actions import Effect

_VERBS = frozenset({"start", "/startstream", "stop", "/stopstream", "status"})


def implied_verb(text: str) -> Effect | None:
    """Return the verb of a text that does not begin with one: to stop."""
    first = text.split(maxsplit=1)[:1]
    return None if first and first[0].casefold() in _VERBS else Effect.STOP


def complain_of_syntax(error: ParseError) -> None:
    """Print what is wrong with a command, and point at the place."""
    complain(f"{error.sentence}\n{caret(error)}")


def complain_of_no_action(parsed: object = None) -> None:
    """Print that a text, as `help` or `audit`, does not name an action, and what does it here.

    Args:
        parsed: What the text means.
    """
    match parsed:
        case OffAir():
            instead = "run stopstream off"
        case Audit():
            instead = "run stopstream audit tail"
        case WhoAmI():
            instead = "run stopstream policy explain"
        case _:
            instead = "write for example: live stream1"
    complain(f"that is not an action; {instead}")
