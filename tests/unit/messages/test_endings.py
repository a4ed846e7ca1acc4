"""Endings explain what happened and what to do next."""

import re
from dataclasses import replace

import pytest

from bot.catalog.registry import ACTIONS, by_api
from bot.commands.parser import parse
from bot.model.commands import Command, Via
from bot.model.operations import (
    State,
)
from handlers.messages import (
    cards,
    endings,
)
from tests.support.fakes import made_up
from tests.unit.messages.samples import DROP, OPERATION, VOCABULARY


def test_outcome_of_drop_suggests_next_commands() -> None:
    """The outcome of a drop has the request ID, the duration and the next commands."""
    text = endings.ending(OPERATION, DROP).text

    assert "`8e50cdb5-56dc-408b-89b0-31818958d424`" in text
    assert "in 123 ms" in text
    assert "Ban 30 min" in str(endings.ending(OPERATION, DROP).blocks)
    assert "rule `roles.oncall.allow[0]`" in text


def test_outcome_commands_can_be_parsed() -> None:
    """Every command that an outcome suggests can be parsed and has known values."""
    for action in ACTIONS:
        secret = {param.api for param in action.params if param.secret}
        params = {name: given for name, given in made_up(action).items() if name not in secret}
        regions = (action.regions or {}).get(action.product.site, ("",))
        region = "ap-singapore" if "ap-singapore" in regions else regions[0]
        operation = replace(
            OPERATION, api=action.api, params=params, region=region, state=State.UNKNOWN
        )
        offered = re.findall(
            r"`(/[a-z]+stream [^`]+)`",
            endings.ending(replace(operation, state=State.ACCEPTED), action).text
            + endings.ending(operation, action).text,
        )
        assert offered or not (action.status_read or "{" in action.afterwards)
        for text in offered:
            found = parse(text, verb=None, vocabulary=VOCABULARY, now=0.0)
            assert isinstance(found, Command)
            known = [*params.values(), "live"]
            assert all(given in known for given in found.params.values())


def test_outcome_of_failure_explains_error_code() -> None:
    """A failed operation shows the error code, its cause, the message and the next step."""
    operation = replace(
        OPERATION,
        state=State.FAILED,
        code="AuthFailure.SignatureExpire",
        error_message="The <b>timestamp</b> is too old",
        detail="This machine's clock is 400 s ahead of Tencent Cloud's.",
    )

    text = endings.ending(operation, DROP).text

    assert "`AuthFailure.SignatureExpire`" in text
    assert "five minutes off" in text
    assert "400 s ahead" in text
    assert "NTP" in text
    assert "`The &lt;b&gt;timestamp&lt;/b&gt; is too old`" in text
    assert operation.request_id in text


def test_outcome_unknown_suggests_status_read() -> None:
    """An unknown outcome states that it may have run and suggests a status read."""
    operation = replace(
        OPERATION, state=State.UNKNOWN, request_id="", detail="No answer within 10 s."
    )

    text = endings.ending(operation, DROP).text

    assert "it may have run" in text
    assert "No answer within 10 s." in text
    assert "`/stopstream status live stream1 domain=push.example.com`" in text


def test_outcome_already_done_is_stated() -> None:
    """A task that had already ended is described so, and the request ID is shown."""
    stop = by_api("StopStreamIngest")
    operation = replace(
        OPERATION, api=stop.api, state=State.ALREADY, code="FailedOperation.TaskFinished"
    )

    assert "The task had ended before." in cards.card(operation, stop).text
    assert operation.request_id in endings.ending(operation, stop).text


def test_denial_states_that_nothing_was_sent() -> None:
    """A denial mentions channels by name and states that nothing was sent."""
    operation = replace(
        OPERATION, state=State.DENIED, detail="You may in C0INC. Ask someone in leads."
    )

    text = endings.private_reply(operation, DROP).text

    assert "You may in <#C0INC>. Ask someone in leads." in text
    assert "Nothing was sent." in text


@pytest.mark.parametrize(
    ("via", "said"), [(Via.COMMAND, "🚫 Denied: `live s1`. No."), (Via.FORM, "No.")]
)
def test_denial_of_somebody_unknown_repeats_their_own_words_alone(via: Via, said: str) -> None:
    """What the policy has filled in stays unsaid; which request it was about does not."""
    withheld = replace(OPERATION.approvals, withheld=True)
    operation = replace(
        OPERATION, state=State.DENIED, detail="No.", via=via, text="live s1", approvals=withheld
    )

    assert endings.private_reply(operation, DROP).text == said


def test_private_reply_contains_outcome() -> None:
    """A private reply has the request ID and states that only its recipient sees it."""
    text = endings.private_reply(OPERATION, DROP).text

    assert OPERATION.request_id in text
    assert "only you see this" in text
