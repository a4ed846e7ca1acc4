"""A card that waits for its asker has at most 35 words, whatever the policy adds to it."""

from dataclasses import replace
from typing import Any

import pytest

from bot.catalog.readings import unshown
from bot.catalog.registry import ACTIONS, by_api
from bot.model.actions import Action, Approval, Effect, Param, Reading
from bot.model.operations import Operation, Preview, State
from handlers.messages import cards
from handlers.messages.confirmation import MOST, confirmation_details
from tests.tools.gallery import count_words, lines_of
from tests.tools.gallery_operations import AT, operation

CHANGES = [action for action in ACTIONS if action.effect is not Effect.READ]
BAN = by_api("ForbidLiveStream")
WHY = "A rights holder has asked for it in writing, and legal has confirmed that it is theirs"
TASKS = ", ".join(f"recording-{number}" for number in range(10))
PLACE = ("DomainName", "PushDomainName", "AppName")
"""Parameters whose values are one word."""
DAYS = 4 * 86_400.0


def given(param: Param) -> Any:
    if param.type.max_days_ahead is not None:
        return "2026-11-24T20:30:00Z"
    if param.api in PLACE:
        return f"{param.word}.example.com"
    return f"{param.word}-1, {param.word}-2, {param.word}-3"


def loaded(action: Action) -> Operation:
    """Return what waits for its asker with all that a command and a policy can add to it."""
    params = {param.api: given(param) for param in action.params}
    target = "stream1"
    key = next(iter(action.effect_spec.key), "")
    found = tuple(reading(action, params | {key: target}))
    of = operation(
        action.api,
        State.WAITING,
        approval=Approval.CONFIRM,
        expires_at=AT + 900,
        params=params | {key: target},
        target=target,
        account="overseas",
        region="ap-singapore" if action.regions is not None else "",
        case="INC-2026-11-20",
        runbook="https://wiki.example.com/ban",
        preview=Preview(action.effect_spec.resource_type.on, readings=found),
    )
    origin = replace(of.origin, usual=(), reason_code="copyright", reason_text=WHY)
    return replace(of, origin=origin)


def reading(action: Action, params: dict[str, Any]) -> list[Reading]:
    return [
        Reading(one.words, tuple(AT - DAYS if "@" in field else TASKS for field in one.fields))
        for api in action.impact_reads
        for one in by_api(api).readings
        if params.keys() >= {*one.given}
    ]


def changed(of: Operation) -> Operation:
    return replace(of, preview=replace(of.preview, state_at_press="off"))


def misspelt(of: Operation) -> Operation:
    names = tuple({"StreamName": name} for name in ("stream2", "stream3", "stream4"))
    return replace(of, preview=replace(of.preview, state="inactive", live_instead=names))


def hidden(of: Operation) -> Operation:
    return replace(of, preview=Preview(readings=(unshown(["DescribeLiveStreamState"]),)))


CASES = {"": lambda of: of, "changed": changed, "misspelt": misspelt, "hidden": hidden}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("action", CHANGES, ids=lambda one: one.api)
def test_confirmation_with_everything_has_at_most_35_words(action: Action, case: str) -> None:
    """What there is no room for is behind Details, word for word."""
    of = CASES[case](loaded(action))
    card = cards.card(of, action)
    shown = lines_of(card)

    assert count_words(shown) <= MOST == 35, shown
    assert shown[0].startswith("✋ *")
    assert any(line.startswith("Confirm by ") for line in shown)
    assert "[Details]" in shown[-1]
    whole = "\n".join(lines_of(confirmation_details(of, action)))
    left = {*" ".join(shown[:-1]).split()} - {*whole.split()}
    assert not left, "what the card shows is among its details"
    assert WHY in whole
    assert WHY in card.text, "what is read aloud says everything"
    for said in ("reason `copyright`", "case `INC-2026-11-20`", "runbook", "rule `roles."):
        assert said in whole


def test_what_matters_most_is_left_out_last() -> None:
    """What else a ban hits is on the card where the list of recordings is not."""
    shown = " ".join(lines_of(cards.card(loaded(BAN), BAN)))

    assert "Applies on every domain." in shown
    assert "recording-9" not in shown


def test_what_fits_needs_no_details() -> None:
    """A plain confirmation says it all; a reason of the policy is named by its code."""
    of = operation(
        "ForbidLiveStream", State.WAITING, approval=Approval.CONFIRM, expires_at=AT + 900
    )
    assert lines_of(cards.card(of, BAN))[-1] == "[Confirm] [Cancel]"

    reason = replace(of.origin, reason_code="copyright", reason_text=WHY)
    *_, small, buttons = lines_of(cards.card(replace(of, origin=reason), BAN))
    assert small == "  @alice 8:00 PM · reason `copyright`"
    assert buttons == "[Confirm] [Cancel] [Details]"


def test_what_the_asker_may_not_read_is_offered_to_nobody() -> None:
    """Nobody but the asker decides over a confirmation, so nobody can be shown more than they."""
    shown = lines_of(cards.card(hidden(loaded(BAN)), BAN))

    assert "Show what it touches" not in shown[-1]
