"""A message whose response was lost is found by its key, and not posted twice."""

from dataclasses import replace

import pytest

from bot.model.messages import MessageKind, RetryLater, Sent
from bot.model.operations import State
from tests.support.deliveries import ACCEPTED, OPERATION, Office, delivery
from tests.support.fake_slack import Fault


@pytest.mark.parametrize(
    "fault",
    [
        Fault(hangs_up=True, done=True),
        Fault(status=500, body="<html>", content_type="text/html", done=True),
        Fault("internal_error", done=True),
        Fault(body="odd", content_type="text/plain", done=True),
    ],
)
@pytest.mark.parametrize("owed", [MessageKind.CARD, MessageKind.ENDING, MessageKind.AUDIT])
async def test_messenger_finds_a_message_with_a_lost_response(
    office: Office, fault: Fault, owed: MessageKind
) -> None:
    """A message whose response was lost is found by its key and is not posted twice."""
    operation = OPERATION if owed is MessageKind.CARD else ACCEPTED
    office.slack.fails("chat.postMessage", fault)

    first = await office.desk.deliver(delivery(operation, owed))
    second = await office.desk.deliver(delivery(operation, owed, uncertain=True))

    assert isinstance(first, RetryLater)
    assert first.uncertain
    (message,) = office.slack.messages
    assert second == Sent(message["channel"], message["ts"])


async def test_messenger_updates_a_card_found_by_its_key(office: Office) -> None:
    """A card that is found after a lost response is updated to the current state."""
    office.slack.fails("chat.postMessage", Fault(hangs_up=True, done=True))
    await office.desk.deliver(delivery(replace(OPERATION, state=State.WAITING)))

    await office.desk.deliver(delivery(replace(OPERATION, state=State.ACCEPTED), uncertain=True))

    (message,) = office.slack.messages
    (edit,) = office.slack.asked("chat.update")
    assert edit["ts"] == message["ts"]
    assert edit["text"].startswith("⏹ *Stop sent: ")


async def test_messenger_finds_an_announcement_by_its_key(office: Office) -> None:
    """An announcement whose response was lost is found and is not posted twice."""
    office.slack.fails("chat.postMessage", Fault(hangs_up=True, done=True))
    await office.desk.announce("the policy is broken", "key1", uncertain=False)

    assert isinstance(await office.desk.announce("…", "key1", uncertain=True), Sent)
    assert len(office.slack.messages) == 1


async def test_messenger_posts_a_message_the_lookup_did_not_find(office: Office) -> None:
    """An uncertain message that never reached Slack is posted after the lookup."""
    office.slack.fails("chat.postMessage", Fault(hangs_up=True))
    await office.desk.deliver(delivery(OPERATION))

    assert isinstance(await office.desk.deliver(delivery(OPERATION, uncertain=True)), Sent)
    assert len(office.slack.messages) == 1


async def test_messenger_lookup_follows_pagination(office: Office) -> None:
    """The lookup of an uncertain message follows pagination to an older page."""
    await office.desk.deliver(delivery(OPERATION))
    for number in range(5):
        await office.desk.deliver(delivery(replace(OPERATION, id=f"other{number}")))
    office.slack.page = 2

    found = await office.desk.deliver(delivery(OPERATION, uncertain=True))

    assert found == Sent("C0INC", office.slack.messages[0]["ts"])
    assert len(office.slack.messages) == 6


async def test_messenger_lookup_ignores_messages_of_other_bots(office: Office) -> None:
    """A message by another bot with the same key is not taken for the bot's own."""
    await office.desk.deliver(delivery(OPERATION))
    office.slack.messages[0]["bot_id"] = "B0OTHER"

    await office.desk.deliver(delivery(OPERATION, uncertain=True))

    assert len(office.slack.messages) == 2


async def test_messenger_keeps_uncertain_when_the_lookup_fails(office: Office) -> None:
    """A failed lookup leaves the message uncertain and posts nothing."""
    office.slack.fails("conversations.history", Fault("internal_error"))

    later = await office.desk.deliver(delivery(OPERATION, uncertain=True))

    assert isinstance(later, RetryLater)
    assert later.uncertain
    assert office.slack.messages == []


async def test_messenger_posts_without_the_lookup_scope(office: Office) -> None:
    """An uncertain message is posted again when the scope for the lookup is missing."""
    office.slack.fails("conversations.history", Fault("missing_scope"))

    assert isinstance(await office.desk.deliver(delivery(OPERATION, uncertain=True)), Sent)


async def test_messenger_lookup_allows_for_every_clock_that_can_send(office: Office) -> None:
    """Tencent Cloud takes requests of a clock that is wrong by up to 300 s; Slack's is right."""
    office.slack.fails("chat.postMessage", Fault(hangs_up=True, done=True))
    await office.desk.deliver(delivery(OPERATION))
    await office.desk.deliver(delivery(OPERATION, uncertain=True))

    (asked,) = office.slack.asked("conversations.history")
    assert float(asked["oldest"]) <= OPERATION.asked_at - 300.0


@pytest.mark.parametrize("owed", [MessageKind.CARD, MessageKind.ENDING, MessageKind.AUDIT])
async def test_messenger_posts_nothing_that_another_replica_has(
    office: Office, owed: MessageKind
) -> None:
    """The look for an earlier post comes first, because it may take longer than a lease."""
    asked: list[int] = []

    async def taken_over() -> bool:
        looks = "conversations.replies", "conversations.history"
        asked.append(sum(len(office.slack.asked(one)) for one in looks))
        return False

    operation = OPERATION if owed is MessageKind.CARD else ACCEPTED
    given = replace(delivery(operation, owed, uncertain=True), may_leave=taken_over)

    assert isinstance(await office.desk.deliver(given), RetryLater)
    later = await office.desk.announce("…", "key1", uncertain=True, may_leave=taken_over)
    assert isinstance(later, RetryLater)
    assert asked == [1, 2]
    assert office.slack.messages == []
