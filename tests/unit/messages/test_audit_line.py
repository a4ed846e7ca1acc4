"""Audit lines are complete and on one line."""

from handlers.messages import (
    audit_line,
)
from tests.unit.messages.samples import DROP, OPERATION


def test_audit_line_is_one_line() -> None:
    """An audit line is one line with the user, the channel and a link to the card."""
    line = audit_line.audit_line(OPERATION, DROP, "https://example.slack.com/archives/C0INC/p1")

    assert "\n" not in line.text
    assert "<@U0ALICE> in <#C0INC>" in line.text
    assert line.text.endswith("<https://example.slack.com/archives/C0INC/p1|card>")
    assert line.blocks == ()
