"""Slack refuses a message: only a final code loses it, every other one delays it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from bot.metrics import Metrics
from bot.model.messages import (
    Delivery,
    DeliveryResult,
    MessageKind,
    RetryLater,
    Undeliverable,
)
from bot.model.operations import Choice, State
from bot.model.people import Place
from bot.operations.outbox_relay import OutboxRelay
from bot.operations.results import Accepted
from bot.storage.store import Store
from bot.supervision import Supervisor
from handlers.slack.error_codes import is_final
from handlers.slack.messenger import Messenger
from tests.conftest import House, built
from tests.support.deliveries import ACCEPTED, OPERATION, Office, delivery
from tests.support.fake_slack import BOT, FakeSlack, Fault, slack
from tests.support.fakes import BOB, FakeNotifier

POLICY = """
defaults:
  live: {DomainName: push.example.com}
roles:
  oncall:
    members: {users: [U0ALICE]}
    allow: [{actions: [DropLiveStream], approval: second-person, approvers: [leads]}]
  leads:
    members: {users: [U0BOB]}
    allow: [{actions: ["*"]}]
"""

TRANSIENT = (
    "update_failed",
    "message_limit_exceeded",
    "team_added_to_org",
    "external_channel_migrating",
    "a_code_of_next_year",
)


@dataclass
class Live:
    """The house with the real messenger."""

    house: House
    slack: FakeSlack

    def thread(self) -> list[str]:
        return [m["text"] for m in self.slack.messages if m.get("thread_ts")]

    def card(self) -> str:
        found = (m["text"] for m in self.slack.messages if m["channel"] == "C0INC")
        return str(next(found, ""))


class RefusesEndings(FakeNotifier):
    """Refuses every ending, with a code that nobody knows."""

    async def deliver(self, delivery: Delivery) -> DeliveryResult:
        if delivery.kind is MessageKind.ENDING:
            return RetryLater(0.0, "Slack refused it (odd_code)", refused=True)
        return await super().deliver(delivery)


@pytest.fixture
async def live(quick_store: Store) -> AsyncIterator[Live]:
    async with slack() as (fake, client):
        desk = Messenger(client, bot=BOT, audit_channel="C0AUDIT")
        async with built(quick_store, policy=POLICY, desk=desk) as house:
            yield Live(house, fake)


@pytest.mark.parametrize("code", TRANSIENT)
@pytest.mark.parametrize("method", ["chat.update", "chat.postMessage"])
async def test_card_and_ending_survive_a_refusal_that_passes(
    live: Live, method: str, code: str
) -> None:
    """An approval that Slack does not show at first is shown once Slack takes messages again."""
    asked = await live.house.ask("live stream1")
    assert isinstance(asked, Accepted)
    async with asyncio.timeout(60):
        while "Approval needed" not in live.card():  # noqa: ASYNC110 (what Slack has taken)
            await asyncio.sleep(0.01)
    await live.house.courier.drain()

    live.slack.fails(method, Fault(code), Fault(code))
    await live.house.decide(asked.operation.id, Choice.APPROVE, BOB)
    ended = await live.house.ended(asked.operation.id)

    assert ended.state is State.ACCEPTED
    assert "Approval needed" not in live.card()
    assert any(ended.request_id in text for text in live.thread())
    assert not live.slack.faults[method]


@pytest.mark.parametrize("code", TRANSIENT)
@pytest.mark.parametrize("owed", [MessageKind.CARD, MessageKind.ENDING, MessageKind.AUDIT])
async def test_messenger_retries_a_code_not_known_as_final(
    office: Office, owed: MessageKind, code: str
) -> None:
    """A code that may pass has the message sent later, and names itself."""
    office.slack.fails("chat.postMessage", Fault(code))
    office.clock.now += 60

    later = await office.desk.deliver(delivery(OPERATION, owed))

    assert isinstance(later, RetryLater)
    assert (later.refused, later.uncertain) == (True, False)
    assert code in later.why


@pytest.mark.parametrize(
    "code",
    [
        "is_inactive",
        "restricted_action",
        "restricted_action_read_only_channel",
        "restricted_action_thread_only_channel",
        "restricted_action_of_next_year",
    ],
)
async def test_messenger_takes_a_restricted_channel_as_closed(office: Office, code: str) -> None:
    """A channel that refuses everybody's posts counts as closed: the audit line waits for it."""
    office.slack.fails("chat.postMessage", Fault(code))

    never = await office.desk.announce("checkpoint", "key1", uncertain=False)

    assert isinstance(never, Undeliverable)
    assert never.closed
    assert code not in never.why


@pytest.mark.parametrize("code", ["is_inactive", "restricted_action_thread_only_channel"])
async def test_private_message_goes_directly_where_the_channel_is_closed(
    office: Office, code: str
) -> None:
    """An ephemeral message that a channel does not take arrives as a direct message."""
    denied = replace(OPERATION, state=State.DENIED, detail="No.", place=Place("C0INC"))
    office.slack.fails("chat.postEphemeral", Fault(code))

    await office.desk.deliver(delivery(denied, MessageKind.PRIVATE))

    assert office.slack.messages[0]["channel"] == "U0ALICE"


@pytest.mark.parametrize("code", TRANSIENT)
async def test_lookup_that_passes_is_repeated(office: Office, code: str) -> None:
    """A look-up that Slack refuses for now is repeated, so that nothing is posted twice."""
    office.slack.fails("conversations.replies", Fault(code))

    later = await office.desk.deliver(delivery(ACCEPTED, MessageKind.ENDING, uncertain=True))

    assert isinstance(later, RetryLater)
    assert (later.refused, later.uncertain) == (True, True)
    assert office.slack.messages == []


async def test_outbox_relay_gives_up_a_refused_message_after_its_patience(
    quick_store: Store,
) -> None:
    """A message that is refused for hours is given up, so that those behind it are sent."""
    desk = RefusesEndings()
    async with built(quick_store, desk=desk) as house:
        await house.courier.stop()
        asked = await house.ask("live stream1")
        assert isinstance(asked, Accepted)
        await house.engine.ending(asked.operation.id)
        metrics = Metrics()
        relay = OutboxRelay(
            store=quick_store,
            notifier=desk,
            metrics=metrics,
            supervisor=Supervisor(metrics),
            spacing=0.0,
            refusal_patience=0.1,
        )
        relay.start()
        async with asyncio.timeout(20):
            await relay.drain()
        await relay.stop()

    with quick_store.audit_log.records(operation=asked.operation.id) as records:
        lost = [r for r in records if r.kind == "undeliverable"]
    assert len(lost) == 1
    assert desk.said(MessageKind.CARD)


@pytest.mark.parametrize("code", ["channel_not_found", "msg_too_long", "no_text", "is_archived"])
def test_known_final_codes_are_final(code: str) -> None:
    """Codes that a repetition cannot change are given up at once."""
    assert is_final(code)
