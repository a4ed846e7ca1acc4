"""Cards are complete in their text and have the right buttons."""

from dataclasses import replace

import pytest

from bot.model.actions import Approval
from bot.model.operations import (
    Approvals,
    State,
)
from handlers.messages import (
    cards,
    state_text,
)
from handlers.messages.blocks import Message
from tests.unit.messages.samples import DROP, OPERATION


@pytest.mark.parametrize("state", list(State))
def test_card_text_is_complete(state: State) -> None:
    """The text of a card names state, action, parameters, user, rule and region."""
    by_policy = replace(OPERATION, state=state, region="ap-singapore", detail="Why.")
    text = cards.card(by_policy, DROP).text

    assert text.startswith(state_text.STATE_TEXTS[state].label)
    for part in ("DropLiveStream", "`stream1`", "`push.example.com`", "<@U0ALICE>"):
        assert part in text
    assert "`roles.oncall.allow[0]`" in text
    assert "`ap-singapore`" in text


@pytest.mark.parametrize(
    ("fields", "said", "unsaid"),
    [
        ({"decided_by": "U0BOB"}, "denied by <@U0BOB>", "forbidden by"),
        ({"decided_by": "U0BOB", "reason": "wrong"}, "denied by <@U0BOB>", "oncall.allow"),
        ({"detail": "It is frozen."}, "forbidden by `roles.oncall.allow[0]`", "denied by"),
        # Confirmed, and no longer allowed when it was about to be sent.
        ({"detail": "x", "decided_by": "U0BOB"}, "confirmed by <@U0BOB>", "denied by"),
        ({"detail": "x", "rule": ""}, "Asked by", "forbidden by"),
    ],
)
def test_card_names_a_rule_only_where_it_forbids(
    fields: dict[str, str], said: str, unsaid: str
) -> None:
    """What a person denied is not forbidden by the rule that allowed it."""
    text = cards.card(replace(OPERATION, state=State.DENIED, **fields), DROP).text  # type: ignore[arg-type]

    assert said in text
    assert unsaid not in text


def test_card_omits_approve_without_approvers() -> None:
    """A card has Approve and Deny buttons only if somebody may approve, now or later."""
    waiting = replace(
        OPERATION, state=State.WAITING, approval=Approval.SECOND_PERSON, approvals=Approvals()
    )
    later = replace(waiting, approvals=Approvals(escalates_to=("chiefs",)))

    assert labels(cards.card(waiting, DROP)) == ["Cancel"]
    assert labels(cards.card(later, DROP)) == ["Approve", "Deny", "Cancel"]


def labels(message: Message) -> list[str]:
    return [one["text"]["text"] for one in message.blocks[-1]["elements"]]
