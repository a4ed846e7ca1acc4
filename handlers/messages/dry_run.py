"""The reply to a dry run; pure."""

from bot.model.actions import DEFAULT, Approval
from bot.model.verdicts import Denied, DryRunResult, RequestPreview, Verdict
from bot.operations.near_targets import asks_before
from bot.policy.domains import domain_param
from bot.redact import redact
from handlers.messages.annotations import case_text, runbook_link
from handlers.messages.blocks import Message
from handlers.messages.looks import Look
from handlers.messages.mrkdwn import code, code_block, format_command, mentions, render_sentence


def dry_run_reply(result: DryRunResult) -> Message:
    """Describe what would be sent, which rule allows it and who would have to agree."""
    if result.hidden:
        return Message(f"*Dry run, nothing was sent.* {_verdict(result)}")
    command = result.command
    text = format_command(
        command.action, command.params, command.region, command.account, command.reason
    )
    lines = [
        f"*Dry run, nothing was sent:* {command.action.api}, as {code(text, 500)}",
        *_context(result),
        _verdict(result),
        *_before_sending(result),
        _request(result.request),
    ]
    return Message("\n".join(lines))


def _before_sending(result: DryRunResult) -> list[str]:
    """Return what is asked before it is sent, and what is looked at again then."""
    action = result.command.action
    if isinstance(result.verdict, Denied):
        return []
    asks = ""
    if result.live_instead:
        names = ", ".join(
            code(redact(str(next(iter(key.values()))))) for key in result.live_instead
        )
        nothing = f"Nothing is live as {code(redact(result.command.target))}."
        asks = f"{Look.NOTHING_LIVE.emoji} {nothing} Live now: {names}. "
    looked_at = [*(["the domain"] if domain_param(action) else [])]
    looked_at += ["what is live"] if asks_before(action) else []
    if not looked_at:
        return []
    return [f"{asks}When it is sent, {' and '.join(looked_at)} will be checked again."]


def _context(result: DryRunResult) -> list[str]:
    command, verdict = result.command, result.verdict
    parts = (
        f"Account {code(command.account)}" if command.account != DEFAULT else "",
        f"region {code(command.region)}" if command.region else "",
        case_text(result),
        runbook_link(verdict) if isinstance(verdict, Verdict) else "",
    )
    text = ", ".join(filter(None, parts))
    return [text[:1].upper() + text[1:]] if text else []


def _request(preview: RequestPreview | None) -> str:
    if preview is None:
        return "Nothing would leave: the bot keeps it itself."
    headers = "\n".join(f"{name}: {value}" for name, value in preview.headers.items())
    request = f"{preview.method} {preview.url}\n{headers}\n\n{preview.payload}"
    return f"*The request*\n{code_block(request, 1800)}"


def _verdict(result: DryRunResult) -> str:
    verdict = result.verdict
    if isinstance(verdict, Denied):
        roles = " or ".join(code(role) for role in verdict.request_from)
        ask = f" {roles} could be asked to approve it." if roles else ""
        return f"It would be denied: {render_sentence(verdict.reason)}{ask}"
    rule = f"Allowed by {code(verdict.rule)}"
    if verdict.approval is Approval.NONE:
        return f"{rule}, at once."
    if verdict.approval is Approval.CONFIRM:
        return f"{rule}, after you confirm it."
    return f"{rule}, {_approval(verdict, result.people)}"


def _approval(verdict: Verdict, people: tuple[str, ...]) -> str:
    if not verdict.approvers:
        later = " or ".join(code(role) for role in verdict.escalates_to)
        could = f"{later} could, once a reminder has asked them" if later else "nobody could"
        return f"but its list of approvers is empty: {could} approve it."
    count = "one" if verdict.needed == 1 else str(verdict.needed)
    approve = "approves" if verdict.needed == 1 else "approve"
    roles = " or ".join(code(role) for role in verdict.approvers)
    who = f" ({mentions(people[:10])})" if people else ""
    return f"after {count} of {roles} {approve} it{who}."
