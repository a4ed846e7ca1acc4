"""Replies to the asker claim nothing that has not happened."""

from dataclasses import replace

import pytest
from hypothesis import example as also
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.commands.parsed import Audit, Form, WhoAmI
from bot.commands.parser import parse
from bot.errors import ParseError
from bot.model.actions import Effect
from bot.model.operations import (
    State,
)
from bot.operations.results import Accepted, Invalid
from handlers.messages import (
    replies,
    ways_in,
)
from tests.unit.messages.samples import DROP, OPERATION, VOCABULARY, is_harmless, untrusted


@settings(max_examples=100)
@given(untrusted, untrusted, untrusted, st.integers(0, 50), st.integers(0, 50))
@also("live <!channel>", 'There is no "<!channel>".', "live", 5, 15)
def test_parse_error_reply_escapes_quoted_text(
    text: str, sentence: str, suggestion: str, start: int, length: int
) -> None:
    """A parse error reply never renders markup from the text that it quotes."""
    error = ParseError(
        sentence or "x", text=text, start=start, end=start + length, suggestion=suggestion
    )

    message = replies.parse_error(error)

    if message.text:
        is_harmless(message)


def test_parse_error_reply_marks_position() -> None:
    """A parse error reply has a suggestion and carets under the mistake."""
    with pytest.raises(ParseError) as caught:
        parse("lvie stream1", verb=Effect.STOP, vocabulary=VOCABULARY, now=0.0)

    text = replies.receipt(Invalid(caught.value), VOCABULARY).text

    assert 'Did you mean "live"?' in text
    assert "lvie stream1\n^^^^" in text


def test_parse_error_reply_has_example() -> None:
    """A parse error reply includes an example command."""
    with pytest.raises(ParseError) as caught:
        parse("ingest 12", verb=Effect.START, vocabulary=VOCABULARY, now=0.0)

    assert " For example: `/startstream ingest 1234 pullurl=rtmp://pull.example.com" in (
        replies.parse_error(caught.value).text
    )


def test_receipt_states_only_what_is_known() -> None:
    """Nothing is said where a card or a form follows at once; a duplicate is named as such."""
    asked = replace(OPERATION, state=State.ASKED)

    assert replies.receipt(Accepted(asked), VOCABULARY, DROP) == replies.NOTHING
    assert replies.receipt(Form(Effect.STOP), VOCABULARY) == replies.NOTHING
    again = replies.receipt(Accepted(asked, again=True), VOCABULARY, DROP).text
    assert "runs only once" in again
    for reply in (WhoAmI(), Audit()):
        assert replies.receipt(reply, VOCABULARY).text


def test_form_offer_has_button() -> None:
    """An offer of the form is a message with a button that opens it."""
    message = replies.form_offer(Effect.STOP)

    is_harmless(message)
    assert message.blocks[1]["elements"][0]["action_id"] == f"{ways_in.OPEN_FORM}:stop"
