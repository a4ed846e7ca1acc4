"""Cards are complete in their text and have the right buttons."""

from dataclasses import replace

import pytest

from bot.model.actions import Approval
from bot.model.operations import (
    Approvals,
    Origin,
    State,
)
from handlers.messages import (
    cards,
)
from handlers.messages.blocks import Message
from tests.unit.messages.samples import DROP, OPERATION, VOCABULARY


@pytest.mark.parametrize("state", list(State))
def test_card_text_is_complete(state: State) -> None:
    """The text of a card has the name, the user, the region, and what its blocks have."""
    operation = replace(
        OPERATION, state=state, region="ap-singapore", detail="Why.", target="stream1"
    )
    message = cards.card(operation, DROP)

    where = ("`stream1`", "`push.example.com`") if state is not State.INVALID else ()
    for part in (*where, "<@U0ALICE>", "`ap-singapore`"):
        assert part in message.text
    for block in message.blocks[:2]:
        shown = block.get("text", {}).get("text") or block["elements"][0]["text"]
        assert shown in message.text


@pytest.mark.parametrize(
    ("fields", "said", "unsaid"),
    [
        ({"decided_by": "U0BOB"}, "<@U0BOB> denied it. Nothing was sent.", "rule"),
        ({"decided_by": "U0BOB", "reason": "wrong."}, "<@U0BOB> denied it: wrong. Nothing", "rule"),
        ({"detail": "It is frozen."}, "It is frozen. Nothing was sent.", "denied it"),
        # Confirmed, and no longer allowed when it was about to be sent.
        ({"detail": "x", "decided_by": "U0BOB"}, "x Nothing was sent.", "denied it"),
    ],
)
def test_card_says_who_denied(fields: dict[str, str], said: str, unsaid: str) -> None:
    """What a person denied names the person, and what the policy denied its reason."""
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


def test_card_names_the_place_only_where_it_is_unusual() -> None:
    """Domain and app are shown unless they have their default."""
    names = VOCABULARY.usual(DROP, "default", OPERATION.params)
    assert names == ("DomainName", "AppName")
    usual = replace(OPERATION, origin=Origin(usual=names), target="stream1")
    other = replace(OPERATION, origin=Origin(usual=("AppName",)), target="stream1")

    assert "*Stop sent: `stream1`*" in cards.card(usual, DROP).text
    assert "*Stop sent: `stream1` on `push.example.com`*" in cards.card(other, DROP).text
