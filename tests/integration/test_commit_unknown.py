"""A commit whose answer is lost is found out: nothing is lost, doubled, or said wrongly."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from bot.errors import StoreError
from bot.model.lifecycle import ENDINGS
from bot.model.messages import RetryLater
from bot.model.operations import Choice, Decision, State
from bot.model.people import Place
from bot.operations.results import Accepted, NotRecorded, Reply
from bot.storage import tables
from tests.conftest import House, built, opened
from tests.support.clocks import ManualClock
from tests.support.database_relay import Relay, relayed
from tests.support.fakes import ALICE, BOB
from tests.support.lost_commits import LostCommits
from tests.support.stored_operations import FACTS, operation
from tests.support.stored_rows import Rows
from tests.support.waiting import BOUND, until

KINDS = (
    "Operations.add",
    "Operations.apply",
    "Operations.wait",
    "Operations.start",
    "Decisions.add",
    "Decisions.claim",
    "Decisions.settle",
    "Leases.claim",
    "Leases.renew",
    "Outbox.claim",
    "Outbox.mark_in_flight",
    "Outbox.mark_delivered",
    "Outbox.mark_postponed",
    "Verifications.claim",
    "Verifications.record",
)

T = TypeVar("T")


@dataclass
class Bot:
    """A bot whose database loses answers; its clock stands still, so that no lease lapses."""

    house: House
    commits: LostCommits
    clock: ManualClock
    rows: Rows


@pytest.fixture
def relay(database_url: str) -> Iterator[Relay | None]:
    if database_url.startswith("sqlite"):
        yield None
        return
    with relayed(database_url) as found:
        yield found


@pytest.fixture
async def bot(database_url: str, relay: Relay | None) -> AsyncIterator[Bot]:
    clock, url = ManualClock(), relay.url if relay else database_url
    rows = Rows(database_url)
    async with opened(url, lease=0.5, clock=clock) as store, built(store, clock=clock) as house:
        house.cloud.bodies["DescribeLiveStreamState"] = {"StreamState": "inactive"}
        yield Bot(house, LostCommits(store, relay), clock, rows)
    rows.close()


async def together(house: House, work: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """Have the writer take several pieces of work in one transaction."""
    taken, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def hold(_tx: Any, items: Sequence[None]) -> list[None]:
        loop.call_soon_threadsafe(taken.set)
        go_on.wait(BOUND)
        return list(items)

    holding = asyncio.create_task(house.store.session.writer.do(hold, None, urgent=True))
    await taken.wait()
    tasks = [asyncio.ensure_future(one()) for one in work]
    await asyncio.sleep(0.02)
    go_on.set()
    await holding
    return list(await asyncio.gather(*tasks))


def decision(key: str, id_: str) -> Decision:
    return Decision(key, id_, Choice.CONFIRM, BOB, Place("C0INC"))


async def waiting(house: House, ids: Sequence[str]) -> None:
    async def all_wait() -> bool:
        return all([(await house.now(id_)).state is State.WAITING for id_ in ids])

    await until(all_wait)


async def ask(house: House, names: Sequence[str], actor: Any) -> list[str]:
    """Ask for several stops at once; return the ids."""
    replies: list[Reply] = await together(
        house, [partial(house.ask, f"live {name}", actor) for name in names]
    )
    assert all(isinstance(reply, Accepted) and not reply.again for reply in replies), replies
    return [reply.operation.id for reply in replies if isinstance(reply, Accepted)]


async def orphans(bot: Bot, tag: str) -> list[str]:
    """Leave a request and a press, as a replica that is gone leaves them."""
    house = bot.house
    (pressed,) = await ask(house, [f"{tag}-o"], BOB)
    await waiting(house, [pressed])
    left = replace(operation(), id=f"{tag}-left", key=f"{tag}-left", actor=ALICE)
    left = replace(left, params={**left.params, "StreamName": f"{tag}-left", "AppName": "live"})
    left = replace(left, params={**left.params, "DomainName": "push.example.com"})
    assert await house.store.operations.add(replace(left, asked_at=bot.clock()), FACTS)
    bot.rows.change(tables.operations, left.id, owner="dead", lease_until=1.0)
    press = await house.store.decisions.add(decision(f"{tag}-press", pressed))
    assert press is not None
    bot.rows.change(tables.decisions, press.id, owner="dead", lease_until=1.0)
    return [pressed, left.id]


async def everything(bot: Bot, tag: str, count: int) -> None:
    """Have all kinds of work done, and check that all of it has come to its end."""
    house, answers = bot.house, asyncio.Event()
    house.cloud.gate = answers
    house.cloud.called.clear()
    at_once = await ask(house, [f"{tag}-{n}" for n in range(count)], ALICE)
    async with asyncio.timeout(BOUND):
        await house.cloud.called.wait()
    # While something is in hand: it may have ended before the next renewal would come.
    await house.store.leases.renew()
    answers.set()
    confirmed = await ask(house, [f"{tag}-c{n}" for n in range(count)], BOB)
    await waiting(house, confirmed)
    pressed = await together(
        house,
        [partial(house.service.decide, decision(f"press-{id_}", id_)) for id_ in confirmed],
    )
    assert pressed == [None] * count
    ids = [*at_once, *confirmed, *await orphans(bot, tag)]
    for id_ in ids:
        assert (await house.ended(id_)).state is State.ACCEPTED
    house.desk.results.append(RetryLater(0.0, "busy"))
    await house.store.outbox.announce(tag, "a notice", {}, "notice")
    await until(lambda: any(row.next_at for row in bot.rows.all(tables.outbox)))
    bot.clock.advance(6.0)

    def verified() -> bool:
        return all(row.look_at is None for row in bot.rows.all(tables.operations))

    await until(verified)
    await until(lambda: all(row.settled for row in bot.rows.all(tables.decisions)))
    async with asyncio.timeout(BOUND):
        await house.courier.drain()


@pytest.mark.parametrize("count", [1, 6], ids=["alone", "batch"])
@pytest.mark.usefixtures("_looks_of_its_own")
async def test_lost_answer_to_a_commit_changes_nothing(bot: Bot, count: int) -> None:
    """Every kind of work goes on, at once and once, although its commit was not answered."""
    bot.commits.lose(*KINDS)
    await everything(bot, "x", count)

    assert sorted(bot.commits.lost) == sorted(KINDS)
    stops = [one for one in bot.house.cloud.sent if one.action.api == "DropLiveStream"]
    sent = Counter(one.params["StreamName"] for one in stops)
    assert len(sent) == 2 * count + 2
    assert set(sent.values()) == {1}
    assert {State(row.state) for row in bot.rows.all(tables.operations)} <= ENDINGS
    await bot.house.store.leases.renew()
    await bot.house.store.leases.renew()
    assert bot.house.store.leases.strays == 0


@pytest.mark.parametrize("applied", [True, False], ids=["applied", "not applied"])
async def test_unknown_commit_is_called_unknown_while_the_database_is_away(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, applied: bool
) -> None:
    """The asker does not hear that nothing was sent; what was stored runs once it is back."""
    patience: list[asyncio.Timeout] = []

    def without_end() -> asyncio.Timeout:
        patience.append(asyncio.timeout(None))
        return patience[-1]

    monkeypatch.setattr("bot.operations.recorder.in_time", without_end)
    clock = ManualClock()
    with relayed(postgres_url) as relay:
        async with (
            opened(relay.url, lease=0.5, clock=clock) as store,
            built(store, clock=clock) as house,
        ):
            lost = LostCommits(store, relay)
            lost.before_losing = lambda: relay.lose_next_commit(applied=applied, then_away=True)
            lost.lose("Operations.add")
            ask = asyncio.create_task(house.ask("live one"))
            await until(lambda: store.session.writer.trouble)
            # The commit's answer is lost, and the database is away: no more is known in time.
            patience[-1].reschedule(0.0)
            reply = await ask
            second = await house.ask("live two")
            assert house.cloud.sent == []
            relay.come_back()
            await until(lambda: _is_clear(house))
            await store.leases.renew()
            clock.advance(2 * store.session.lease)
            if applied:
                await until(lambda: house.cloud.sent)
            found = await store.operations.recent()
            for one in found:
                await house.ended(one.id)

    assert isinstance(reply, NotRecorded)
    assert "nothing was sent" not in reply.sentence.lower()
    assert "don't know" in reply.sentence
    assert isinstance(second, NotRecorded)
    assert [one.text for one in found] == (["live one"] if applied else [])
    assert len(house.cloud.sent) == (1 if applied else 0)


async def _is_clear(house: House) -> bool:
    try:
        await house.store.ready()
    except StoreError:
        return False
    return True


async def test_rows_that_nothing_works_on_are_told_and_lapse(tmp_path: Path) -> None:
    """Only what is in hand is renewed; a row that stays leased without work is told."""
    clock, url, in_hand = ManualClock(), f"sqlite:///{tmp_path / 'x.db'}", ["op1"]
    async with opened(url, clock=clock) as store:
        leases, rows = store.leases, Rows(url)
        leases.track("operations", lambda: in_hand)
        for number in (1, 2):
            await store.operations.add(operation(number), FACTS)
        clock.advance(6.0)
        await leases.renew()
        await leases.renew()
        assert leases.strays == 1
        clock.advance(6.0)
        assert [one.id for one in await leases.claim()] == ["op2"], "it has lapsed"

        in_hand.append("op2")
        await leases.renew()
        assert (leases.strays, leases.trouble()) == (0, "")
        in_hand.remove("op2")
        rows.change(tables.operations, "op2", lease_until=clock() + 1000.0)
        await leases.renew()
        await leases.renew()
        clock.advance(19.0)
        await leases.renew()
        assert leases.trouble() == ""
        clock.advance(1.0)
        await leases.renew()
        assert leases.trouble() == "for 20 s, 1 rows are leased that nothing works on"
        rows.close()
