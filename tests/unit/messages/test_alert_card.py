"""The card of an alert: harmless whatever it says, and what its buttons carry."""

import json
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.model.alerts import Alert, AlertItem, NamedStream
from bot.operations.alert_offers import AlertChoice, StreamOffer
from handlers.messages.alert_card import alert_card
from handlers.messages.blocks import Message
from tests.tools.gallery_alerts import ALERT, GROUP, offers
from tests.unit.messages.samples import is_harmless, untrusted

streams = st.builds(
    NamedStream,
    st.just("DropLiveStream"),
    st.fixed_dictionaries({"StreamName": untrusted}, optional={"DomainName": untrusted}),
)
alerts = st.builds(
    Alert,
    id=st.just("w5akwi4hgk42u7bj"),
    source=untrusted,
    group=st.just("0"),
    channel=st.just("C0INC"),
    opened_at=st.floats(0, 2e9),
    seen_at=st.just(0.0),
    title=untrusted,
    summary=untrusted,
    severity=untrusted,
    link=untrusted,
    items=st.lists(
        st.builds(AlertItem, untrusted, st.floats(0, 2e9), st.booleans(), untrusted), max_size=9
    ).map(tuple),
    resolved_at=st.none() | st.floats(2e9, 3e9),
)


def elements(message: Message) -> list[dict[str, Any]]:
    return [
        one for block in message.blocks for one in block.get("elements", ()) if "action_id" in one
    ]


@settings(max_examples=150, deadline=None)
@given(alerts, st.lists(streams, max_size=60), st.sets(st.sampled_from(AlertChoice)))
def test_card_is_harmless_whatever_an_alert_says(
    alert: Alert, named: list[NamedStream], choices: set[AlertChoice]
) -> None:
    """No markup comes from outside, and Slack takes the card, with however many streams."""
    offered = [StreamOffer(at, one, tuple(choices)) for at, one in enumerate(named)]
    is_harmless(alert_card(alert, offered))


def test_button_carries_a_reference_alone() -> None:
    """Neither the name of a stream nor an action is in what a button sends."""
    message = alert_card(GROUP, offers(GROUP))
    for one in elements(message):
        values = [one.get("value", ""), *(o["value"] for o in one.get("options", ()))]
        assert "cam-" not in json.dumps([values, one["action_id"]])
        assert all(value.split(":")[0] in ("", GROUP.id) for value in values)


def test_streams_beyond_the_first_are_in_a_list() -> None:
    """Five streams have buttons; the others are chosen in a list that asks once more."""
    message = alert_card(GROUP, offers(GROUP))
    (pick,) = [one for one in elements(message) if one["type"] == "static_select"]
    assert len(pick["options"]) == 8
    assert pick["confirm"]["confirm"]["text"] == "Stop"
    assert sum(one["type"] == "button" for one in elements(message)) == 5 * len(AlertChoice)
    assert "and 8 more" in message.text


def test_card_of_what_is_over_has_no_buttons() -> None:
    """After its end an alert offers nothing."""
    over = replace(ALERT, resolved_at=ALERT.opened_at + 60, items=())
    message = alert_card(over, ())
    assert elements(message) == []
    assert "Resolved: BitrateLow" in message.text
