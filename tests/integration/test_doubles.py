"""What two replicas have posted stands once: who comes second withdraws what it has posted."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.audit.checkpoints import Signer
from bot.audit.hash_chain import stored_facts
from bot.model.messages import MessageKind
from bot.operations.outbox_relay import OutboxRelay
from bot.storage.store import Store
from bot.storage.tables import REJECTED, outbox, trail
from handlers.slack.messenger import Messenger
from tests.conftest import opened
from tests.support.clocks import ManualClock
from tests.support.fake_slack import BOT, FakeSlack, Fault, slack
from tests.support.outbox import delivering, queue, suspended
from tests.support.stored_operations import operation
from tests.support.stored_rows import Rows
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
    client: AsyncWebClient
    first: Replica
    second: Replica
    clock: ManualClock

    def standing(self, kind: MessageKind) -> list[str]:
        """Return the `ts` of what stands in Slack of a kind, the oldest first."""
        keys = {one["ts"]: one["metadata"]["event_payload"]["key"] for one in self.slack.messages}
        wanted = {f"op1:{kind.value}", f"op1:{kind.value}:asked"}
        return [ts for ts, key in keys.items() if key in wanted]

    @contextlib.asynccontextmanager
    async def second_losing_its_answer(self) -> AsyncIterator[OutboxRelay]:
        """Let the second replica take the message over and post it, without hearing of that."""
        self.clock.advance(self.first.store.session.lease + 1.0)
        self.slack.fails("chat.postMessage", Fault(hangs_up=True, done=True))
        async with delivering(self.second.store, self.second.desk) as relay:
            await until(lambda: self.slack.posted == 1 and not relay._tasks)  # noqa: SLF001
            yield relay

    async def recorded(self) -> list[Any]:
        """Return the `ts` of the deliveries on the trail, without what is too many."""
        rows = await self.first.store.session.fetch(trail.select().order_by(trail.c.seq))
        found = [stored_facts(one.body) for one in rows if one.kind == "delivered"]
        return [facts.get("ts") for facts in found if "counts" not in facts]

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
        yield Two(fake, client, replicas[0], replicas[1], clock)


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


@dataclass
class SlowAnswers:
    """Answers to posts, which wait on their way back.

    Attributes:
        there: Set once a post has arrived.
        goes_on: Set to let its answer arrive.
    """

    there: asyncio.Event
    goes_on: asyncio.Event


def slow_answers(replica: Replica) -> SlowAnswers:
    post = replica.desk._client.chat_postMessage  # noqa: SLF001 (see _replica)
    slow = SlowAnswers(asyncio.Event(), asyncio.Event())

    async def hear_later(**given: Any) -> Any:
        answer = await post(**given)
        slow.there.set()
        await slow.goes_on.wait()
        return answer

    replica.desk._client.chat_postMessage = hear_later  # type: ignore[method-assign] # noqa: SLF001
    return slow


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
    await until(lambda: two.standing(kind) == [counts])
    assert await two.recorded() == [counts]
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
    await until(lambda: two.standing(kind) == [counts])
    assert await two.recorded() == [counts]
    assert await two.card() == (counts if kind is CARD else "")
    assert await two.first.store.outbox.depth() == 0


async def test_line_of_the_audit_channel_is_never_withdrawn(two: Two) -> None:
    """What is there counts as evidence; that it was posted twice is on the trail."""
    await queue(two.first.store, operation(1), AUDIT)
    async with two.first.holding():
        two.clock.advance(two.first.store.session.lease + 1.0)
        await two.second.deliver()

    assert len(two.standing(AUDIT)) == 2
    assert two.standing(AUDIT) == await two.recorded()


async def test_only_post_is_not_withdrawn(two: Two) -> None:
    """Who has taken it over may have found it, or given it up."""
    await queue(two.first.store, operation(1), ENDING)
    async with two.first.holding():
        two.clock.advance(two.first.store.session.lease + 1.0)
        two.slack.fails("chat.postMessage", Fault("is_archived"))
        await two.second.deliver()

    (only,) = two.standing(ENDING)
    assert only in await two.recorded()


async def test_last_post_that_stands_is_not_withdrawn(two: Two) -> None:
    """Somebody may have removed the one that counts."""
    await queue(two.first.store, operation(1), CARD)
    async with two.first.holding():
        two.clock.advance(two.first.store.session.lease + 1.0)
        await two.second.deliver()
        two.slack.messages.clear()

    await until(lambda: "conversations.history" in two.slack.methods())
    assert len(two.standing(CARD)) == 1
    assert "chat.delete" not in two.slack.methods()


@pytest.mark.parametrize("method", ["conversations.history", "chat.delete"])
async def test_what_slack_does_not_withdraw_is_left(two: Two, method: str) -> None:
    """Twice is better than never."""
    await queue(two.first.store, operation(1), CARD)
    async with two.first.holding():
        two.clock.advance(two.first.store.session.lease + 1.0)
        await two.second.deliver()
        two.slack.fails(method, Fault("internal_error"))

    await until(lambda: method in two.slack.methods())
    assert len(two.standing(CARD)) == 2
    assert await two.card() == two.standing(CARD)[0]


@pytest.mark.parametrize("kind", [CARD, ENDING])
async def test_late_post_that_another_has_found_is_the_one_that_counts(
    two: Two, kind: MessageKind
) -> None:
    """The other's first post had lost its answer, so it has looked again, and found the newest."""
    await queue(two.first.store, operation(1), kind)
    late = slow_answers(two.first)
    async with two.first.holding():
        async with two.second_losing_its_answer() as relay:
            two.first.arrives.set()
            await late.there.wait()
            two.clock.advance(5.0)
            two.second.store.session.outbox_changed.set()
            await relay.drain()
        (counts,) = set(await two.recorded())
        late.goes_on.set()

    assert two.slack.posted == 2
    await until(lambda: two.standing(kind) == [counts])
    assert await two.card() == (counts if kind is CARD else "")


@pytest.mark.parametrize("kind", [CARD, ENDING])
async def test_lost_answer_withdraws_nothing_before_one_counts(two: Two, kind: MessageKind) -> None:
    """Who does not know what it has posted must not take what is about to count."""
    await queue(two.first.store, operation(1), kind)
    other = slow_answers(two.second)
    postpone, postponed = two.first.store.outbox.mark_postponed, asyncio.Event()

    async def postpone_later(*given: Any, **more: Any) -> str:
        two.second.arrives.set()
        await other.there.wait()
        counts = await postpone(*given, **more)
        postponed.set()
        return counts

    two.first.store.outbox.mark_postponed = postpone_later  # type: ignore[method-assign]
    async with two.first.holding():
        two.clock.advance(two.first.store.session.lease + 1.0)
        async with two.second.holding():
            two.slack.fails("chat.postMessage", Fault(hangs_up=True, done=True))
            two.first.arrives.set()
            await postponed.wait()
            assert len(two.standing(kind)) == 2
            other.goes_on.set()

    (counts,) = await two.recorded()
    await until(lambda: two.standing(kind) == [counts])
    assert await two.card() == (counts if kind is CARD else "")


@pytest.mark.parametrize("kind", [CARD, ENDING])
async def test_post_whose_answer_was_lost_is_withdrawn_by_who_settles_first(
    two: Two, kind: MessageKind
) -> None:
    """The message is off the outbox then, so that the other never comes back to it."""
    await queue(two.first.store, operation(1), kind)
    async with two.first.holding(), two.second_losing_its_answer():
        two.first.arrives.set()
        await until(two.recorded)

    (counts,) = await two.recorded()
    await until(lambda: two.standing(kind) == [counts])
    assert await two.card() == (counts if kind is CARD else "")


@pytest.mark.parametrize("kind", [CARD, ENDING])
async def test_one_of_three_posts_stands(two: Two, database_url: str, kind: MessageKind) -> None:
    """Two that come late look at the same time, and neither takes the other's for the one."""
    async with opened(database_url, "replica-3", clock=two.clock) as store:
        third = _replica(store, two.client, two.clock)
        await queue(two.first.store, operation(1), kind)
        first, last = slow_answers(two.first), slow_answers(third)
        async with two.first.holding():
            two.clock.advance(store.session.lease + 1.0)
            async with third.holding():
                two.clock.advance(store.session.lease + 1.0)
                third.arrives.set()
                two.first.arrives.set()
                await asyncio.gather(first.there.wait(), last.there.wait())
                await two.second.deliver()
                (counts,) = set(await two.recorded())
                first.goes_on.set()
                last.goes_on.set()

    await until(lambda: two.standing(kind) == [counts])
    assert await two.card() == (counts if kind is CARD else "")


async def test_card_that_somebody_has_answered_stays(two: Two) -> None:
    """What people have said below it would lose its beginning."""
    await queue(two.first.store, operation(1), CARD)
    late = slow_answers(two.first)
    async with two.first.holding():
        two.clock.advance(two.first.store.session.lease + 1.0)
        await two.second.deliver()
        two.first.arrives.set()
        await late.there.wait()
        reply = {"channel": "C0INC", "ts": "1800000000.000100", "thread_ts": two.standing(CARD)[1]}
        two.slack.messages.append(reply | {"metadata": {"event_payload": {"key": ""}}})
        late.goes_on.set()

    assert len(two.standing(CARD)) == 2


@pytest.mark.usefixtures("two")
async def test_message_that_is_put_back_is_posted_once(
    database_url: str, clock: ManualClock
) -> None:
    """Whoever can write the database, and has no key, must not have the bot say it again."""
    async with (
        slack() as (fake, client),
        opened(database_url, "signed", signer=Signer(bytes(32)), clock=clock) as store,
    ):
        replica = _replica(store, client, clock)
        await queue(store, operation(1), ENDING)
        async with replica.holding():
            (row,) = await store.session.fetch(outbox.select())
            with contextlib.closing(Rows(database_url)) as rows:
                rows.execute("DELETE FROM outbox")
        with contextlib.closing(Rows(database_url)) as rows:
            fresh = {"owner": "", "lease_until": 0.0, "uncertain": False, "next_at": 0.0}
            rows.insert(outbox, [row._asdict() | fresh])
        async with delivering(store, replica.desk):
            with contextlib.closing(Rows(database_url)) as rows:
                await until(lambda: rows.one(outbox, row.id).mac == REJECTED)

        assert fake.posted == 1
