"""What the audit log keeps of an operation, without stream keys and secrets."""

from bot.catalog import readings as sights
from bot.model.actions import Action, Json
from bot.model.operations import Operation, Preview
from bot.redact import HIDDEN, redact


def facts_of(operation: Operation, action: Action | None) -> dict[str, Json]:
    """Return the facts that are recorded of an operation; empty ones are left out."""
    facts: dict[str, Json] = {
        "team": operation.actor.team,
        "user": operation.actor.user,
        "via": operation.via.value,
        "channel": operation.place.channel,
        "thread_ts": operation.place.thread_ts,
        "state": operation.state.value,
        "api": operation.api,
        "params": visible_params(operation, action),
        "region": operation.region,
        "account": operation.account,
        "rule": operation.rule,
        "attempts": operation.attempts,
        "request_id": operation.request_id,
        "code": operation.code,
        "detail": redact(operation.detail),
        "took": operation.duration,
        "decided_by": operation.decided_by,
        "approved_by": [one.user for one in operation.approvals.given],
        "emergency": operation.emergency,
        "reason": redact(operation.reason),
        "reason_code": operation.origin.reason_code,
        "reason_text": operation.origin.reason_text,
        "joined": operation.duplicate_of,
        "case": operation.case,
        "runbook": operation.runbook,
        "request_of": operation.origin.request_of,
        "undoes": operation.origin.undoes,
        "alert": operation.origin.alert,
        "before": operation.live_before.value if operation.live_before else "",
        "lacks": operation.approvals.lacking,
    }
    return {name: value for name, value in facts.items() if value}


def visible_params(operation: Operation, action: Action | None) -> dict[str, Json]:
    """Return the parameters as people and the audit log may see them."""
    values: dict[str, Json] = {}
    for name, value in operation.params.items():
        param = action.param(name) if action else None
        if param is None or param.secret:
            values[name] = HIDDEN
        else:
            values[name] = redact(value) if isinstance(value, str) else value
    return values


def without_secrets(operation: Operation, action: Action) -> dict[str, Json]:
    """Return the parameters to store once nothing needs the secrets among them any more."""
    secret = action.secret_params
    return {name: HIDDEN if name in secret else v for name, v in operation.params.items()}


def preview_facts(preview: Preview) -> dict[str, Json]:
    """Return what an approver was shown."""
    saw = [f"state: {preview.state}"] if preview.state else []
    saw += (
        f"live instead: {redact(' '.join(map(str, key.values())))}" for key in preview.live_instead
    )
    saw += map(sights.to_text, preview.readings)
    return {"saw": list[Json](saw)} if saw else {}
