"""One log line for each operation at its end; its steps are lines at the level debug."""

import structlog

from bot.catalog.error_codes import known
from bot.catalog.registry import ALL_ACTIONS
from bot.metrics import Metrics
from bot.model.lifecycle import ENDINGS
from bot.model.operations import Operation, State

log = structlog.get_logger("stopstream.operations")

_APIS = frozenset({"", *(action.api for action in ALL_ACTIONS)})
_CODES = frozenset({"", *known()})
_OTHER = "other"
"""In place of what the catalog does not know: a label has no value that somebody else chooses."""


def log_transition(operation: Operation, before: State, metrics: Metrics) -> None:
    """Log and count what has become of an operation.

    An ending has `waited` where somebody had to decide, `cloud` where Tencent Cloud answered, and
    `took` from the asking: seconds.

    Args:
        operation: After the transition.
    """
    if operation.state not in ENDINGS:
        log_step(operation, before)
        return
    api = operation.api if operation.api in _APIS else _OTHER
    code = operation.code if operation.code in _CODES else _OTHER
    metrics.ended.labels(operation.state.value, api, code).inc()
    ended_at = operation.ended_at or operation.asked_at
    found = {
        "operation": operation.id,
        "ending": operation.state.value,
        "user": operation.actor.user,
        "team": operation.actor.team,
        "channel": operation.place.channel,
        "via": operation.via.value,
        "action": operation.api,
        "account": operation.account,
        "target": operation.target,
        "case": operation.case,
        "reason": operation.origin.reason_code,
        "rule": operation.rule,
        "decided_by": operation.decided_by,
        "emergency": operation.emergency or None,
        "code": operation.code,
        "request_id": operation.request_id,
        "attempts": operation.attempts,
        "waited": _since(operation.asked_at, operation.decided_at),
        "cloud": operation.duration and round(operation.duration, 3),
        "took": _since(operation.asked_at, ended_at),
    }
    log.info("ended", **{name: value for name, value in found.items() if value not in ("", None)})


def log_step(operation: Operation, before: State) -> None:
    """Log a transition that is no ending."""
    log.debug(
        "moved",
        operation=operation.id,
        before=before.value,
        state=operation.state.value,
        attempts=operation.attempts,
    )


def _since(begin: float, end: float | None) -> float | None:
    return None if end is None else round(max(0.0, end - begin), 3)
