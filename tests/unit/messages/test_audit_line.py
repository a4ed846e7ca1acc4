"""Audit lines are complete and on one line."""

from dataclasses import replace

from bot.model.operations import State
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


def test_audit_line_speaks_about_the_asker() -> None:
    """What was said to the asker is told to others without "you"."""
    denied = replace(
        OPERATION, state=State.DENIED, detail="As oncall, you can't do this. Your roles differ."
    )

    assert "As oncall, they can't do this. Their roles differ." in (
        audit_line.audit_line(denied, DROP).text
    )
