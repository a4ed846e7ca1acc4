"""What stands beside an operation: what a press will touch, its case, its runbook; pure."""

import re
from typing import Any

from bot.model.actions import Reading
from bot.model.operations import Operation
from bot.model.verdicts import DryRunResult, Verdict
from handlers.messages.mrkdwn import code, escape, moment, user

_PLACE = re.compile(r"\{\}")
_RUNBOOK = re.compile(r"https://[A-Za-z0-9.-]+(?::\d{1,5})?(?:/[A-Za-z0-9._~/?=&%#+,:;!-]*)?")


def sight(seen: Reading) -> str:
    """Say what a read has told; its values are foreign."""
    values = iter(seen.values)

    def shown(_place: re.Match[str]) -> str:
        found = next(values, "")
        return code(found, 200) if isinstance(found, str) else moment(found)

    return _PLACE.sub(shown, seen.words)


def case(of: Operation | DryRunResult) -> str:
    """Name the case, or nothing."""
    return f"case {code(of.case)}" if of.case else ""


def runbook(of: Operation | Verdict) -> str:
    """Give the link to the runbook; nothing if it is not an address as the policy takes it."""
    if not _RUNBOOK.fullmatch(of.runbook):
        return ""
    return f"<{of.runbook.replace('&', '&amp;')}|runbook>"


REQUEST = "request"
"""The action_id of the button that asks somebody who may; its value is the operation's id."""


def request(operation: Operation) -> str:
    """Say that whoever asked may not do it themselves, where it is so."""
    if not operation.origin.request_of:
        return ""
    why = escape(operation.approvals.lacking, 300)
    return f"*A request:* {user(operation.actor.user)} may not do this themselves, {why}."


def offer(operation: Operation) -> str:
    """Say whom a refused asker may ask; nothing where the policy lets nobody be asked."""
    if not operation.approvals.request_from:
        return ""
    roles = " or ".join(code(role) for role in operation.approvals.request_from[:10])
    return f"You can ask someone in {roles} to let it through, here in the channel."


def offer_button(operation: Operation) -> dict[str, Any]:
    """Make the button that asks them."""
    return {
        "type": "actions",
        "block_id": f"{REQUEST}:{operation.id}",
        "elements": [
            {
                "type": "button",
                "action_id": REQUEST,
                "value": operation.id,
                "text": {"type": "plain_text", "text": "Ask somebody who may", "emoji": False},
            }
        ],
    }
