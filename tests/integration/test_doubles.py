"""What two replicas have posted stands once: who comes second withdraws what it has posted."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.audit.hash_chain import stored_facts
from bot.model.messages import MessageKind
from bot.storage.store import Store
from bot.storage.tables import trail
from handlers.slack.messenger import Messenger
from tests.conftest import opened
from tests.support.clocks import ManualClock
from tests.support.fake_slack import BOT, FakeSlack, Fault, slack
from tests.support.outbox import delivering, queue, suspended
from tests.support.stored_operations import operation
from tests.support.waiting import until

AUDIT, CARD, ENDING = MessageKind.AUDIT, MessageKind.CARD, MessageKind.ENDING


@dataclass
class Replica:
    """A replica whose posts can be held on their way.

    Attributes:
        left: Set once a post is on its way: from then on nothing is asked of the database.
        arrives: Whether posts arrive.
    """

    store: Store
    desk: Messenger
    left: asyncio.Event
    arrives: asyncio.Event

    @contextlib.asynccontextmanager
    async def holding(self) -> AsyncIterator[None]:
        """Let it deliver, claim once, and hold its post until the block is over."""
        self.arrives.clear()
        async with delivering(self.store, self.desk) as relay:
            await self.left.wait()
            with suspended(self.store):
                yield
                self.arrives.set()
                await until(lambda: not relay._tasks)  # noqa: SLF001 (what is under way)
            await relay.drain()

    async def deliver(self) -> None:
        """Deliver all that there is."""
        async with delivering(self.store, self.desk) as relay:
            await relay.drain()


@dataclass
class Two:
    """Two replicas of one bot, over one database and one workspace."""

    slack: FakeSlack
    first: Replica
    second: Replica
    clock: ManualClock

    def standing(self, kind: MessageKind) -> list[str]:
        """Return the `ts` of what stands in Slack of a kind, the oldest first."""
        keys = {one["ts"]: one["metadata"]["event_payload"]["key"] for one in self.slack.messages}
        wanted = {f"op1:{kind.value}", f"op1:{kind.value}:asked"}
        return [ts for ts, key in keys.items() if key in wanted]

    async def recorded(self) -> list[Any]:
        """Return the `ts` of the deliveries on the trail."""
        rows = await self.first.store.session.fetch(trail.select().order_by(trail.c.seq))
        return [stored_facts(one.body).get("ts") for one in rows if one.kind == "delivered"]

    async def card(self) -> str:
        """Return where the card is known to stand."""
        found = await self.first.store.operations.get("op1")
        assert found is not None
        return found.card_ts


@pytest.fixture
async def two(database_url: str, clock: ManualClock) -> AsyncIterator[Two]:
    async with contextlib.AsyncExitStack() as stack:
        replicas = list[Replica]()
        fake, client = await stack.enter_async_context(slack())
        for name in ("replica-1", "replica-2"):
            store = await stack.enter_async_context(opened(database_url, name, clock=clock))
            replicas.append(_replica(store, client, clock))
        yield Two(fake, replicas[0], replicas[1], clock)


def _replica(store: Store, client: AsyncWebClient, clock: ManualClock) -> Replica:
    # An audit line waits no longer for a card that it could link to.
    desk = Messenger(client, bot=BOT, audit_channel="C0AUDIT", clock=lambda: clock() + 60.0)
    replica = Replica(store, desk, asyncio.Event(), asyncio.Event())
    replica.arrives.set()
    post = desk._client.chat_postMessage  # noqa: SLF001 (what is on its way is held)

    async def arrive_later(**given: Any) -> Any:
        replica.left.set()
        await replica.arrives.wait()
        return await post(**given)

    desk._client.chat_postMessage = arrive_later  # type: ignore[method-assign] # noqa: SLF001
    return replica


@pytest.mark.parametrize("kind", [CARD, ENDING])
@pytest.mark.parametrize("answer", ["is there", "is lost"])
async def test_post_that_arrives_after_its_lease_is_withdrawn(
    two: Two, kind: MessageKind, answer: str
) -> None:
    """A process may be stopped between its last look at the lease and the first byte."""
    await queue(two.first.store, operation(1), kind)
    async with two.first.holding():
        two.clock.advance(two.first.store.session.lease + 1.0)
        await two.second.deliver()
        (counts,) = two.standing(kind)
        if answer == "is lost":
            two.slack.fails("chat.postMessage", Fault(hangs_up=True, done=True))

    assert two.slack.posted == 2
    assert two.standing(kind) == await two.recorded() == [counts]
    assert await two.card() == (counts if kind is CARD else "")


@pytest.mark.parametrize("kind", [CARD, ENDING])
async def test_who_comes_second_withdraws_its_post(two: Two, kind: MessageKind) -> None:
    """The other may post, and say so first, after the look for an earlier post found nothing."""
    await queue(two.first.store, operation(1), kind)
    async with two.first.holding():
        two.clock.advance(two.first.store.session.lease + 1.0)
        async with two.second.holding():
            two.first.arrives.set()
            await until(two.recorded)
            (counts,) = two.standing(kind)

    assert two.slack.posted == 2
    assert two.standing(kind) == await two.recorded() == [counts]
    assert await two.card() == (counts if kind is CARD else "")
    assert await two.first.store.outbox.depth() == 0


async def test_line_of_the_audit_channel_is_never_withdrawn(two: Two) -> None:
    """What is there counts as evidence; that it was posted twice is on the trail."""
    await queue(two.first.store, operation(1), AUDIT)
    async with two.first.holding():
        two.clock.advance(two.first.store.session.lease + 1.0)
        await two.second.deliver()

    assert two.standing(AUDIT) == await two.recorded()
    assert len(two.standing(AUDIT)) == 2


async def test_only_post_is_not_withdrawn(two: Two) -> None:
    """Who has taken it over may have found it, or given it up."""
    await queue(two.first.store, operation(1), ENDING)
    async with two.first.holding():
        two.clock.advance(two.first.store.session.lease + 1.0)
        two.slack.fails("chat.postMessage", Fault("is_archived"))
        await two.second.deliver()

    assert len(two.standing(ENDING)) == 1


@pytest.mark.parametrize("method", ["conversations.history", "chat.delete"])
async def test_what_slack_does_not_withdraw_is_left(two: Two, method: str) -> None:
    """Twice is better than never."""
    await queue(two.first.store, operation(1), CARD)
    async with two.first.holding():
        two.clock.advance(two.first.store.session.lease + 1.0)
        await two.second.deliver()
        two.slack.fails(method, Fault("internal_error"))

    assert len(two.standing(CARD)) == 2
    assert await two.card() == two.standing(CARD)[0]
