"""No message renders untrusted markup, shows a secret or claims too much."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings

from bot.catalog.registry import action_of, by_api
from bot.commands.parsed import Help
from bot.model.messages import EphemeralNotice
from bot.model.operations import (
    Operation,
    Search,
    State,
)
from bot.operations.results import Accepted, NotRecorded, SearchPage
from handlers.messages import (
    audit_line,
    cards,
    endings,
    replies,
    search_results,
)
from tests.unit.messages.samples import (
    DROP,
    OPERATION,
    VOCABULARY,
    is_harmless,
    operations,
    untrusted,
)


@settings(max_examples=150, deadline=None)
@given(operations, untrusted)
def test_replies_escape_untrusted_text(operation: Operation, permalink: str) -> None:
    """No reply renders markup from untrusted text, and all are valid messages for Slack."""
    action = action_of(operation)
    for message in (
        cards.card(operation, action),
        endings.ending(operation, action),
        endings.private_reply(operation, action, permalink, again=True),
        endings.reminder(operation, action),
        endings.verification(operation, action),
        replies.ephemeral_notice(
            EphemeralNotice(operation.actor, operation.place, operation.detail or "x", 0.0)
        ),
        audit_line.audit_line(operation, action, permalink, State.DUE),
        audit_line.audit_line(operation, action, permalink),
        audit_line.audit_notice(operation.text or "x"),
        replies.receipt(Accepted(operation), VOCABULARY, action),
        replies.receipt(NotRecorded(operation.detail or "x"), VOCABULARY),
        replies.receipt(Help(operation.text), VOCABULARY),
        search_results.page(SearchPage(Search(), (operation,) * 15, older=True)),
    ):
        if not message.text:
            continue  # nothing visible was in it
        is_harmless(message)


@pytest.mark.parametrize("state", [s for s in State if s is not State.ACCEPTED])
def test_replies_claim_success_only_when_accepted(state: State) -> None:
    """Only an accepted operation is described as accepted, stopped or done."""
    operation = replace(OPERATION, state=state, request_id="", duration=None)
    for message in (
        cards.card(operation, DROP),
        endings.ending(operation, DROP),
        replies.receipt(Accepted(operation), VOCABULARY, DROP),
    ):
        claimed = re.sub(r"\bNot stopped\b", "", message.text)
        assert not re.search(r"\b(accepted|stopped|done)\b", claimed, re.IGNORECASE)


def test_replies_hide_secret_parameters() -> None:
    """Secret and undeclared parameter values are shown in no reply."""
    start = by_api("StartPublishStream")
    params = {"UserId": "u1", "PublishStreamArgs": "txSecret=abc", "Unheard": "of"}
    for state in State:
        operation = replace(OPERATION, api=start.api, params=params, state=state)
        for message in (
            cards.card(operation, start),
            endings.ending(operation, start),
            endings.private_reply(operation, start),
            audit_line.audit_line(operation, start),
            replies.receipt(Accepted(operation), VOCABULARY, start),
        ):
            assert "abc" not in str(message)
            assert "Unheard `of`" not in str(message)
