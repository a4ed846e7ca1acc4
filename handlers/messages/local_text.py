"""What is said of the bot's own actions, for which nothing is sent: holds and watches; pure."""

from bot.catalog.builtin import HOLD, RELEASE, UNWATCH, WATCH
from bot.model.actions import Action
from bot.model.operations import Operation
from handlers.messages import watch_text
from handlers.messages.looks import Look
from handlers.messages.operation_text import detail_text

_LOCAL_RESULTS = {
    HOLD.api: "Nobody can start it through this bot until it is released.",
    RELEASE.api: "It can be started again by anyone with permission.",
    UNWATCH.api: "Its changes are no longer posted.",
}


def local_result(operation: Operation, action: Action | None) -> str:
    """Describe what the bot's own action has led to."""
    if operation.detail or operation.api not in _LOCAL_RESULTS:
        return detail_text(operation) or watch_text.begin_text(operation, action)
    return _LOCAL_RESULTS[operation.api]


def local_look(operation: Operation) -> Look:
    """Return how it looks that an action of the bot itself was done."""
    return _LOCAL_LOOKS.get(operation.api, Look.ANSWERED)


_LOCAL_LOOKS = {
    HOLD.api: Look.HELD,
    RELEASE.api: Look.RELEASED,
    WATCH.api: Look.WATCHING,
    UNWATCH.api: Look.NOT_WATCHING,
}
