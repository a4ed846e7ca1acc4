"""The trail with a million records: recording, verifying and searching, each against its floor."""

import asyncio
import contextlib
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from bot.audit import hash_chain as chain
from bot.audit.checkpoints import CheckpointKind, Signer
from bot.audit.hash_chain import GENESIS, Fact
from bot.catalog.registry import ACTIONS
from bot.model.commands import Via
from bot.model.operations import Operation, Search, State
from bot.model.people import Actor, Place
from bot.operations.audit_facts import facts_of
from bot.operations.operation_ids import new_id
from bot.storage import database
from bot.storage.rows import columns
from bot.storage.store import Store
from bot.storage.transition import Transition
from tests.bench.load import quantile

SIGNER = Signer(b"b" * 32)
STEPS = ("asked", "allowed", "sending", "ended", "delivered")
# What people search by is the first parameter that must be given.
TARGETED = [
    (action, must)
    for action in ACTIONS
    if (must := next((p for p in action.params if p.required and p.default is None), None))
]
ENDS = (State.ACCEPTED, State.FAILED, State.DENIED, State.UNKNOWN)
ODDS = (900, 60, 39, 1)
BEGIN = 1_700_000_000.0


async def trail(records: int = 1_000_000) -> list[str]:
    """Measure on SQLite, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        async with _store(Path(folder) / "empty.db") as empty:
            small = await _recording(empty)
        file = Path(folder) / "full.db"
        async with _store(file):
            pass
        _fill(file, records)
        async with _store(file) as full:
            large = await _recording(full)
            recorded = (
                f"recording with {records:,} records behind it: {large:,.0f} transitions a second, "
                f"with none {small:,.0f}: {large / small:.0%}"
            )
            return [recorded, _verifying(full), await _searching(full)]


@contextlib.asynccontextmanager
async def _store(file: Path) -> AsyncIterator[Store]:
    engine = database.connect(f"sqlite:///{file}")
    database.migrate(engine)
    store = Store(engine, owner="bench", signer=SIGNER)
    try:
        yield store
    finally:
        await store.close()


def _operations(count: int) -> Iterator[Operation]:
    dice = random.Random(1)  # noqa: S311 (the same each time)
    users = [f"U0{number:05}" for number in range(200)]
    weights = [1 / (number + 1) for number in range(200)]
    for number in range(count):
        action, must = dice.choice(TARGETED)
        target = f"stream{dice.randrange(5000)}"
        yield Operation(
            id=new_id(BEGIN + number * 30.0),
            key=f"{int(BEGIN * 1e6) + number * 30_000_000}.{dice.randbytes(8).hex()}",
            state=dice.choices(ENDS, ODDS)[0],
            actor=Actor("T0HOME", dice.choices(users, weights)[0]),
            place=Place(f"C0{dice.randrange(20)}"),
            via=Via.COMMAND,
            text=f"live {target}",
            asked_at=BEGIN + number * 30.0,
            api=action.api,
            params={must.api: target, "DomainName": "5000.livepush.myqcloud.com"},
            rule="roles.oncall.allow[0]",
            request_id=f"8e50cdb5-56dc-408b-89b0-{number:012}",
            duration=0.125,
            ended_at=BEGIN + number * 30.0 + 1.0,
            target=target,
        )


def _fill(file: Path, records: int) -> None:
    """Put operations and their records there, as the program would, in one transaction."""
    with contextlib.closing(sqlite3.connect(file)) as raw:
        raw.execute("PRAGMA synchronous=OFF")
        rows = _rows(records // len(STEPS))
        raw.executemany("INSERT INTO trail VALUES (?, ?, ?, ?, ?, ?)", rows)
        given = (_flat(operation) for operation in _operations(records // len(STEPS)))
        first = next(given)
        names = ", ".join(f'"{name}"' for name in first)
        marks = ", ".join(f":{name}" for name in first)
        insert = f"INSERT INTO operations ({names}) VALUES ({marks})"  # noqa: S608 (our own names)
        raw.execute(insert, first)
        raw.executemany(insert, given)
        seq, hash_ = raw.execute("SELECT seq, hash FROM trail ORDER BY seq DESC LIMIT 1").fetchone()
        for kind in (CheckpointKind.HEAD, CheckpointKind.CHECKPOINT):
            seal = SIGNER.sign(kind, seq, hash_, BEGIN)
            values = (kind.value, seq, hash_, seal.at, seal.key, seal.signature)
            raw.execute("INSERT INTO seals VALUES (?, ?, ?, ?, ?, ?)", values)
        raw.commit()


def _flat(operation: Operation) -> dict[str, Any]:
    more = {"asked_at": operation.asked_at, "owner": "", "lease_until": 0.0, "due_at": 0.0}
    return {**columns(operation), **more}


def _rows(count: int) -> Iterator[tuple[Any, ...]]:
    seq, last = 0, GENESIS
    for operation in _operations(count):
        facts = facts_of(operation, None)
        for step, kind in enumerate(STEPS):
            seq += 1
            at = operation.asked_at + step * 0.25
            body = chain.canonical(seq, at, Fact(kind, operation.id, facts))
            last = chain.digest(last, body)
            yield seq, at, kind, operation.id, body, last


async def _recording(store: Store, count: int = 1000, rounds: int = 5) -> float:
    """Take operations from asking to their ending; give transitions a second, at best."""
    rates = []
    for _ in range(rounds):
        begun = [
            Operation(
                id=(id_ := new_id()),
                key=f"{time.time_ns() // 1000}.{id_}",
                state=State.ASKED,
                actor=Actor("T0HOME", "U0ALICE"),
                place=Place("C0INC"),
                via=Via.COMMAND,
                text="live s",
                asked_at=0.0,
                api="DropLiveStream",
                params={"StreamName": f"s{at}"},
                target=f"s{at}",
            )
            for at in range(count)
        ]
        facts = [facts_of(one, None) for one in begun]
        began = time.perf_counter()
        await asyncio.gather(
            *(store.operations.add(*pair) for pair in zip(begun, facts, strict=True))
        )
        for path in (
            (State.ASKED, State.DUE, State.RUNNING),
            (State.RUNNING, State.ACCEPTED),
        ):
            moves = [Transition(one.id, path, of) for one, of in zip(begun, facts, strict=True)]
            await asyncio.gather(*(store.operations.apply(move) for move in moves))
        rates.append(4 * count / (time.perf_counter() - began))
    return statistics.median(rates)


def _verifying(store: Store) -> str:
    """Verify all, and hash as many bodies as they are, already in memory, one after another."""
    with store.audit_log.records(last=1000) as records:
        bodies = [record.body.encode() for record in records]
    began = time.perf_counter()
    last = GENESIS
    for _ in range(200):
        for body in bodies:
            last = sha256(b"%b\n%b" % (last.encode(), body)).hexdigest()
    bare = 200 * len(bodies) / (time.perf_counter() - began)
    rates = []
    for _ in range(3):
        began = time.perf_counter()
        with store.audit_log.snapshot() as audited:
            report = audited.verify([SIGNER.public], lambda _seq: None)
        assert report.found is None, report.found
        rates.append(report.count / (time.perf_counter() - began))
    rate = statistics.median(rates)
    return (
        f"verifying {report.count:,} records: {rate:,.0f} a second on one core, "
        f"the bare cost of hashing them is {bare:,.0f}: {rate / bare:.0%}"
    )


async def _searching(store: Store) -> str:
    """Search in many ways, each also for what is rare and for what is not there at all."""
    day = 86_400.0
    newest = (await store.operations.recent(limit=6000))[-1].asked_at
    ways = {
        "everything of a day": Search(since=newest - day),
        "a person's": Search(user="U000003"),
        "what nobody did": Search(user="U0NOBODY"),
        "an action": Search(apis=("ForbidLiveStream",)),
        "three actions": Search(apis=("DropLiveStream", "ResumeLiveStream", "StopPublishStream")),
        "a stream": Search(target="stream77"),
        "streams by their beginning": Search(target="stream77*"),
        "all streams by their beginning": Search(target="stream*"),
        "a rare ending": Search(state=State.UNKNOWN),
        "a rare ending of the busiest person": Search(state=State.UNKNOWN, user="U000000"),
        "a person's on a stream": Search(user="U000000", target="stream123"),
        "a stream that never was": Search(user="U000000", target="stream9999"),
        "deep in the pages": Search(user="U000000", before=(BEGIN + 900_000.0, "")),
        "what a reader may see": Search(reader="U000199", channel="C03"),
    }
    took: dict[str, float] = {}
    for name, wanted in ways.items():
        times = []
        for _ in range(20):
            began = time.perf_counter()
            await store.operations.search(wanted, 11)
            times.append(time.perf_counter() - began)
        took[name] = quantile(times, 50)
    worst = max(took, key=lambda name: took[name])
    middle = statistics.median(took.values())
    return (
        f"searching among them: p50 {middle:.1f} ms over {len(took)} kinds of search, "
        f"the slowest ({worst}) {took[worst]:.1f} ms"
    )
