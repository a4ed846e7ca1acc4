"""What to check or to type after an ending; pure."""

import re

from bot.catalog.registry import ACTIONS, by_api
from bot.model.actions import Action, Effect, Params
from bot.model.operations import Operation
from handlers.messages.contacts import Contacts
from handlers.messages.mrkdwn import code, format_command, param_value

# A command in `Action.afterwards`, up to the last placeholder for a value.
_COMMAND = re.compile(r"/(start|stop)stream((?: [a-z-]+)+)((?: \{[a-z]+\})+)")
_PLACEHOLDER = re.compile(r"\{([a-z]+)\}")


def check_text(operation: Operation, action: Action | None, to: Contacts) -> str:
    """Describe how to check the state of what an operation is about, as an order."""
    read = by_api(action.status_read) if action and action.status_read else None
    if read is None:
        return f"look in {to.console(action, operation.account)}"
    command = format_command(read, _unusual(operation), operation.region, operation.account)
    return f"type {code(command, 300)}"


def afterwards_text(operation: Operation, action: Action | None) -> str:
    """Render what the catalog advises afterwards, with commands complete enough to paste."""
    if action is None:
        return ""

    def command(found: re.Match[str]) -> str:
        other = _action_of_words(found[1], found[2].split())
        if other is None:
            return found[0]
        text = format_command(other, _unusual(operation), operation.region, operation.account)
        return code(text, 300)

    def placeholder(found: re.Match[str]) -> str:
        param = action.param(found[1])
        given = operation.params.get(param.api) if param else None
        return param_value(param, given) if given is not None else found[1].upper()

    text = f"{action.afterwards} {action.deprecated}".strip()
    return _PLACEHOLDER.sub(placeholder, _COMMAND.sub(command, text))


def _unusual(operation: Operation) -> Params:
    """Return the parameters that a command has to name: the others have their defaults."""
    usual, target = operation.origin.usual, operation.target
    return {
        name: given
        for name, given in operation.params.items()
        if name not in usual or str(given) == target
    }


def _action_of_words(verb: str, words: list[str]) -> Action | None:
    """Return the action that the words of a command name."""
    effect = Effect.START if verb == "start" else Effect.STOP
    if words[0] == Effect.READ.value and len(words) > 1:
        effect, words = Effect.READ, words[1:]
    found = (a for a in ACTIONS if a.words == words[0] and a.effect is effect)
    return next(found, None)
