"""What an operation asks for, who decided on it and what came back, in words; pure."""

from bot.catalog import readings
from bot.catalog.effects import expires_at
from bot.model.actions import DEFAULT, Action, Effect, Json, Param
from bot.model.operations import LiveBefore, Operation, State
from bot.redact import redact
from bot.times import format_duration
from handlers.messages.annotations import reading_text
from handlers.messages.looks import Look
from handlers.messages.mrkdwn import (
    code,
    escape,
    format_slack_time,
    mentions,
    param_value,
    render_sentence,
)
from handlers.messages.wording import state_text

_UNSENT = (State.ASKED, State.WAITING, State.DUE, State.DENIED, State.EXPIRED, State.CANCELLED)

_APPROVERS_MOST = 10


def request_text(operation: Operation, action: Action | None) -> str:
    """Describe what was asked: the API, its parameters without secrets, and the account."""
    if not operation.api:
        return code(operation.text, 300)
    # A duration counts from when the request is sent.
    spans = operation.origin.spans if operation.state in _UNSENT else {}
    params = [
        f"{escape(_label(name, param), 40)} {param_value(param, given)}"
        if name not in spans
        else f"for {code(format_duration(spans[name]))}"
        for name, param, given in _params(operation, action)
    ]
    account = [f"account {code(operation.account)}"] if operation.account != DEFAULT else []
    return f"{escape(operation.api, 80)} {', '.join(params[:12] + account)}".strip()


def _label(name: str, param: Param | None) -> str:
    if param is None:
        return name
    # People type a duration; what is stored and shown is the time at which it ends.
    return "until" if param.word == "for" else param.word


def _params(operation: Operation, action: Action | None) -> list[tuple[str, Param | None, Json]]:
    """Return the parameters in the order of their declaration, undeclared ones last."""
    declared = {param.api: param for param in action.params} if action else {}
    order = [*(n for n in declared if n in operation.params), *operation.params]
    return [(n, declared.get(n), operation.params[n]) for n in dict.fromkeys(order)]


def is_local(action: Action | None) -> bool:
    """Return whether the bot does it itself, without a request to Tencent Cloud."""
    return action is not None and action.product.local


def is_read(action: Action | None) -> bool:
    """Return whether an action only reads."""
    return action is not None and action.effect is Effect.READ


def detail_text(operation: Operation) -> str:
    """Render the sentence on how an operation came to its state."""
    return render_sentence(operation.detail)


def emergency_text(operation: Operation) -> str:
    """Render the warning that no second person agreed; empty where it is no emergency."""
    if not operation.emergency:
        return ""
    warning = f"{Look.EMERGENCY.emoji} *{Look.EMERGENCY.word}, without a second person.*"
    return f"{warning} Reason: {escape(operation.reason, 500)}"


def approvers_text(operation: Operation) -> str:
    """Name the roles whose members may approve, and their members."""
    approvals = operation.approvals
    if not approvals.roles:
        return "Nobody"
    members = mentions(approvals.people[:_APPROVERS_MOST])
    others = " and others" if len(approvals.people) > _APPROVERS_MOST else ""
    return f"{' or '.join(code(role) for role in approvals.roles)} ({members}{others})"


def state_change_text(operation: Operation, action: Action | None) -> str:
    """Describe how the state changed between request and decision; empty if it did not."""
    preview = operation.preview
    if not preview.state_at_press:
        return ""
    before, now = (state_text(action, one) for one in (preview.state, preview.state_at_press))
    if operation.state is State.WAITING:
        return f"*Changed:* now {now}. Press again if you still want it."
    return f"*Changed:* {before} when it was asked, {now} when it was decided."


def expiry_text(operation: Operation, action: Action | None) -> str:
    """Describe when the effect ends, if the request left that to the default."""
    left_out = action is not None and action.expiry and action.expiry[0] not in operation.params
    ends = expires_at(operation, action) if action and left_out else None
    return f"It ends on its own {format_slack_time(ends)}." if ends is not None else ""


def live_names(operation: Operation) -> list[str]:
    """Return the names that were live where nothing was under the one that was given."""
    return [redact(str(next(iter(key.values()), ""))) for key in operation.live_instead]


def live_instead_text(operation: Operation, action: Action | None) -> str:
    """Say that nothing is live under the name that was given, and what is; or empty."""
    nothing = nothing_is_live_text(operation, action)
    return f"{nothing} {live_now_text(operation)}" if nothing else ""


def nothing_is_live_text(operation: Operation, action: Action | None) -> str:
    """Say that nothing is live under the name that was given, where something else is; or empty."""
    if operation.state is not State.WAITING or not operation.live_instead:
        return ""
    name = code(redact(operation.target), 80)
    nothing = f"Nothing is live as {name}." if _is_stream(action) else f"{name} is not on."
    return f"{Look.NOTHING_LIVE.emoji} {nothing}"


def _is_stream(action: Action | None) -> bool:
    return action is None or action.effect_spec.resource_type.name == "stream"


def nothing_live_text(operation: Operation, action: Action | None) -> str:
    """Say that there was nothing to stop, without a full stop."""
    name = code(redact(operation.target), 80)
    return f"Nothing was live as {name}" if _is_stream(action) else f"{name} was not on"


def live_before_text(operation: Operation, action: Action | None) -> str:
    """Describe what a stop has met, unless it was live; empty for what is no stop."""
    if operation.live_before is LiveBefore.NOT_LIVE:
        nothing = nothing_live_text(operation, action)
        return f"{Look.NOTHING_LIVE.emoji} {nothing}. {live_now_text(operation)}".rstrip()
    if operation.live_before is LiveBefore.UNREADABLE:
        name = code(redact(operation.target), 80)
        return f"Couldn't check whether {name} was live before."
    return ""


def live_now_text(operation: Operation) -> str:
    """Name what was live instead; empty where nothing is known of it."""
    names = ", ".join(code(name, 80) for name in live_names(operation))
    return f"Live now: {names}." if names else ""


def attempts_text(operation: Operation) -> str:
    """Describe how often a request was sent, if more than once."""
    return f"It was sent {operation.attempts} times." if operation.attempts > 1 else ""


def request_id_text(operation: Operation) -> str:
    """Name the RequestId, if there is one."""
    return f"RequestId {code(operation.request_id)}" if operation.request_id else ""


def error_message_text(operation: Operation) -> str:
    """Quote Tencent Cloud's error message, if there is one."""
    if not operation.error_message:
        return ""
    return f"Tencent Cloud said: {code(operation.error_message, 800)}"


def result_text(operation: Operation, action: Action | None) -> str:
    """Describe the fields of the answer; empty if the catalog no longer has the action."""
    if action is None:
        return ""
    answered = readings.answered(action, operation.params, operation.result)
    return " ".join(map(reading_text, answered))
