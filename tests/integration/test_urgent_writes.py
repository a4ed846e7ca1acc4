"""What somebody waits for an ack of goes before what was queued earlier."""

import asyncio
import threading
from collections.abc import Sequence

from bot.storage.store import Store
from bot.storage.writer import Transaction, Work

QUEUED = 12


class Gate:
    """Holds the writer's thread inside the first piece of work until it is opened."""

    def __init__(self) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()
        self.done: list[str] = []
        self.transactions: list[int] = []

    def work(self, name: str) -> Work[str, str]:
        """Return work that no other equals, so that each is a piece of its own."""

        def run(tx: Transaction, items: Sequence[str]) -> list[str]:
            self._process(tx, items)
            return [f"{name} {item}" for item in items]

        return run

    def alike(self, tx: Transaction, items: Sequence[str]) -> list[str]:
        """Process pieces of the same work."""
        self._process(tx, items)
        return list(items)

    def _process(self, tx: Transaction, items: Sequence[str]) -> None:
        self.entered.set()
        assert self.opened.wait(60)
        self.done += items
        self.transactions.append(id(tx))


async def _queued(store: Store, works: Sequence[Work[str, str]]) -> list[asyncio.Task[str]]:
    """Queue work while the writer is busy, so that it takes all of it at once."""
    entered, hold = threading.Event(), threading.Event()

    def run(_tx: Transaction, items: Sequence[None]) -> list[None]:
        entered.set()
        assert hold.wait(60)
        return [None for _ in items]

    writer = store.session.writer
    holding = asyncio.create_task(writer.do(run, None))
    await asyncio.to_thread(entered.wait, 60)
    queued = [asyncio.create_task(writer.do(one, str(n))) for n, one in enumerate(works)]
    await asyncio.sleep(0)
    hold.set()
    await holding
    return queued


async def test_urgent_work_waits_for_no_whole_batch(quick_store: Store) -> None:
    """Work that shares a transaction gives way to an ack between two pieces; none is lost."""
    gate = Gate()
    queued = await _queued(quick_store, [gate.work(f"w{number}") for number in range(QUEUED)])
    assert await _urgent(quick_store, gate) == "u urgent"

    assert await asyncio.gather(*queued) == [f"w{number} {number}" for number in range(QUEUED)]
    assert gate.done.index("urgent") == 1
    assert [one for one in gate.done if one != "urgent"] == [str(n) for n in range(QUEUED)]


async def test_urgent_work_waits_for_few_pieces_of_the_same_work(quick_store: Store) -> None:
    """Pieces of the same work are brought together a few at a time, so that an ack fits between."""
    gate = Gate()
    queued = await _queued(quick_store, [gate.alike] * QUEUED)
    await _urgent(quick_store, gate)

    assert await asyncio.gather(*queued) == [str(number) for number in range(QUEUED)]
    assert gate.done.index("urgent") < QUEUED / 2


async def test_work_that_nothing_urgent_waits_for_shares_a_transaction(quick_store: Store) -> None:
    """Without an ack that is due, what is queued together is committed together."""
    gate = Gate()
    gate.opened.set()
    await asyncio.gather(*await _queued(quick_store, [gate.alike] * QUEUED))

    assert len(set(gate.transactions)) == 1


async def _urgent(store: Store, gate: Gate) -> str:
    """Ask for something urgent while the first piece of the batch is processed."""
    await asyncio.to_thread(gate.entered.wait, 60)
    urgent = asyncio.create_task(store.session.writer.do(gate.work("u"), "urgent", urgent=True))
    await asyncio.sleep(0)
    gate.opened.set()
    return await urgent
