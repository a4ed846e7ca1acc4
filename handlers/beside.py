"""What stands beside an operation: what a press will touch, its case, its runbook; pure."""

import re

from bot.model import Operation, Sight
from handlers.words import code, moment

_PLACE = re.compile(r"\{\}")
_RUNBOOK = re.compile(r"https://[A-Za-z0-9.-]+(?::\d{1,5})?(?:/[A-Za-z0-9._~/?=&%#+,:;!-]*)?")


def sight(seen: Sight) -> str:
    """Say what a read has told; its values are foreign."""
    values = iter(seen.values)

    def shown(_place: re.Match[str]) -> str:
        found = next(values, "")
        return code(found, 200) if isinstance(found, str) else moment(found)

    return _PLACE.sub(shown, seen.words)


def case(operation: Operation) -> str:
    """Name the case, or nothing."""
    return f"case {code(operation.case)}" if operation.case else ""


def runbook(operation: Operation) -> str:
    """Give the link to the runbook; nothing if it is not an address as the policy takes it."""
    if not _RUNBOOK.fullmatch(operation.runbook):
        return ""
    return f"<{operation.runbook.replace('&', '&amp;')}|runbook>"
