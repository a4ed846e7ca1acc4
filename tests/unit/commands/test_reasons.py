"""A reason is typed as a code of the policy, and sent as its text where the API takes one."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.catalog.registry import ACTIONS
from bot.commands.formatting import format_command
from bot.commands.reasons import with_reason
from bot.errors import ParseError
from bot.model.actions import Action, Json
from bot.model.commands import Command, Reason
from tests.support.commands import DOMAIN, RICH, command, read

WITH = replace(
    RICH,
    reasons={
        "copyright": Reason("A rights holder has asked for it", "Copyright infringement"),
        "court-order": Reason("A court has ordered it", "A court has ordered it"),
    },
)


@pytest.mark.parametrize(
    "text",
    [
        "ban stream1 reason=copyright",
        "ban stream1 --reason Copyright",
        'ban stream1 Reason="copyright"',
        "ForbidLiveStream StreamName=stream1 reason=COPYRIGHT",
    ],
)
def test_code_is_sent_as_its_text(text: str) -> None:
    """However the code is typed, Tencent Cloud is told the text of the policy."""
    found = command(text, vocabulary=WITH)

    assert (found.reason, found.params["Reason"]) == ("copyright", "Copyright infringement")


def test_reason_is_sent_only_where_the_api_takes_one() -> None:
    """A drop has its reason on the trail; its request is the same as without."""
    found = command("live stream1 reason=copyright", vocabulary=WITH)

    assert found.reason == "copyright"
    assert found.params == command("live stream1", vocabulary=WITH).params


def test_mistyped_code_is_answered_with_the_codes() -> None:
    """A wrong code is one sentence with a near code and all that there are, and is marked."""
    with pytest.raises(ParseError) as caught:
        read("ban stream1 reason=copyrigth", vocabulary=WITH)

    error = caught.value
    assert 'The policy has no reason "copyrigth"' in error.sentence
    assert "copyright" in error.sentence.partition("copyrigth")[2]
    assert error.text[error.start : error.end] == "copyrigth"
    with pytest.raises(ParseError, match="it has copyright, court-order"):
        read("ban stream1 reason=zzz", vocabulary=WITH)


def test_without_reasons_it_is_free_text() -> None:
    """Where the policy has no reasons, a ban takes any words and a drop takes none."""
    found = command("ban stream1 reason='spam, twice'")

    assert (found.reason, found.params["Reason"]) == ("", "spam, twice")
    with pytest.raises(ParseError, match='live takes no "reason"'):
        read("live stream1 reason=spam")


def test_read_takes_no_reason() -> None:
    """A read takes no reason, also where the policy has some."""
    with pytest.raises(ParseError, match='takes no "reason"'):
        read("status live stream1 reason=copyright", vocabulary=WITH)


def test_several_streams_keep_their_reason() -> None:
    """Each command that is offered for several names has the reason."""
    with pytest.raises(ParseError) as caught:
        read(f"ban s1 s2 domain={DOMAIN} reason=copyright", vocabulary=WITH)

    texts = [one.text for one in caught.value.commands]
    assert len(texts) == 2
    assert all("reason=copyright" in text.casefold() for text in texts)


_PARAMS = st.dictionaries(st.sampled_from(["StreamName", "Reason"]), st.text(min_size=1))


@given(st.sampled_from(ACTIONS), st.sampled_from(["", "copyright", "court-order", "gone"]), _PARAMS)
def test_a_code_of_the_policy_says_what_is_sent(
    action: Action, code: str, params: dict[str, Json]
) -> None:
    """No text but the policy's goes with a code, and no code goes that the policy lacks."""
    found = with_reason(Command(action, params), code, WITH)
    known = WITH.reasons.get(found.reason)

    assert bool(found.reason) == (known is not None)
    assert found.reason in ("", code)
    if known and found.action.param("Reason"):
        assert found.params["Reason"] == known.sent
    else:
        assert found.params == params


def test_formatted_command_has_the_code_and_reads_back() -> None:
    """A command with a reason is written with its code, which reads back to the same."""
    for text in ("ban stream1 reason=copyright", "live stream1 reason=court-order"):
        found = command(text, vocabulary=WITH)
        assert command(format_command(found), vocabulary=WITH) == found
