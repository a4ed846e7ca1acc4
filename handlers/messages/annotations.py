"""What accompanies an operation: readings of what it touches, its case, its runbook; pure."""

import re

from bot.catalog.readings import is_unshown
from bot.catalog.registry import action_of
from bot.model.actions import Reading
from bot.model.operations import Operation, State
from bot.model.verdicts import DryRunResult, Verdict
from handlers.messages.blocks import Block, plain
from handlers.messages.mrkdwn import code, escape, format_clock, format_slack_time, user

REQUEST = "request"
"""The action_id of the button that asks someone who may; its value is the operation's id."""

_PLACEHOLDER = re.compile(r"\{\}")
_RUNBOOK = re.compile(r"https://[A-Za-z0-9.-]+(?::\d{1,5})?(?:/[A-Za-z0-9._~/?=&%#+,:;!-]*)?")


def reading_text(reading: Reading) -> str:
    """Render what a read returned; its values are foreign text."""
    if is_unshown(reading):
        # Which reads those are is on the trail.
        return "What it touches is hidden: the asker may not see it."
    values = iter(reading.values)

    def value(_placeholder: re.Match[str]) -> str:
        found = next(values, "")
        return code(found, 200) if isinstance(found, str) else format_slack_time(found)

    return _PLACEHOLDER.sub(value, reading.words)


def case_text(of: Operation | DryRunResult) -> str:
    """Name the case; empty if there is none."""
    return f"case {code(of.case)}" if of.case else ""


def reason_text(operation: Operation) -> str:
    """Name the policy's reason that was given, with its text; empty if there is none."""
    given = operation.origin
    if not given.reason_code:
        return ""
    return f"reason {code(given.reason_code)} ({escape(given.reason_text, 200)})"


def evidence_text(operation: Operation) -> str:
    """Describe what was asked for before it was sent, in one line; empty if nothing was."""
    found = operation.preview.evidence
    if found is None:
        return ""
    if found.problem:
        return f"No {escape(found.kind, 20)} was taken: {escape(found.problem, 200)}."
    return f"{escape(found.kind, 20).capitalize()} requested first: task {code(found.task, 80)}"


def last_push_text(operation: Operation) -> str:
    """Describe what a callback said of the stream whose state was read; empty if none has.

    Where the read has found something else, that is so; where it found nothing, it says so.
    """
    push = operation.preview.last_push
    if push is None:
        return ""
    what, at = "began" if push.began else "ended", format_clock(push.at)
    if operation.state is not State.ACCEPTED:
        return f"The last callback said that its push {what} at {at}. Not checked."
    action = action_of(operation)
    on = action.effect_spec.resource_type.on if action else ""
    state = action.effect_spec.read_state(operation.result) if action else ""
    return f"Push {what} at {at}, according to a callback." if (state == on) is push.began else ""


def runbook_link(of: Operation | Verdict) -> str:
    """Render the link to the runbook; empty if it is not an address that the policy accepts."""
    if not _RUNBOOK.fullmatch(of.runbook):
        return ""
    return f"<{of.runbook.replace('&', '&amp;')}|runbook>"


def access_request_text(operation: Operation) -> str:
    """Describe why the asker may not do it themselves; empty if it is no access request."""
    if not operation.origin.request_of:
        return ""
    why = escape(operation.approvals.lacking, 300)
    return f"*Request:* {user(operation.actor.user)} can't do this alone: {why}."


def offer_text(operation: Operation) -> str:
    """Name the roles that a refused asker may ask; empty if there are none."""
    if not operation.approvals.request_from:
        return ""
    roles = " or ".join(code(role) for role in operation.approvals.request_from[:10])
    return f"{roles} can approve it for you."


def offer_button(operation: Operation) -> Block:
    """Return the button that asks them."""
    return {
        "type": "actions",
        "block_id": f"{REQUEST}:{operation.id}",
        "elements": [
            {
                "type": "button",
                "action_id": REQUEST,
                "value": operation.id,
                "text": plain("Request approval"),
            }
        ],
    }
