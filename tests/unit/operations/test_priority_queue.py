"""Lines: a single request passes a bulk, its newest passes its middle, nothing starves."""

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.metrics import Metrics
from bot.operations.priority_queue import BURST, ApiQueue, BurstDetector, PriorityQueue
from bot.supervision import Supervisor
from tests.support.waiting import until


@given(st.lists(st.booleans(), max_size=60))
def test_priority_queue_takes_single_requests_first(
    bulks: list[bool],
) -> None:
    """Each request is taken once, single requests in order before any bulk request."""
    line: PriorityQueue[int] = PriorityQueue()
    for number, bulk in enumerate(bulks):
        line.put(number, bulk=bulk)
    taken = [line.take() for _ in range(len(line))]

    singles = [number for number, bulk in enumerate(bulks) if not bulk]
    assert sorted(taken) == list(range(len(bulks)))
    assert taken[: len(singles)] == singles


def test_priority_queue_alternates_newest_and_oldest_bulk() -> None:
    """Bulk requests are taken alternately from the newest and the oldest."""
    line: PriorityQueue[int] = PriorityQueue()
    for number in range(10_000):
        line.put(number, bulk=True)

    assert [line.take() for _ in range(4)] == [9999, 0, 9998, 1]


def test_burst_detector_marks_fast_requests_as_bulk() -> None:
    """Fast requests of one user count as bulk until the user pauses."""
    now = [0.0]
    bursts = BurstDetector(lambda: now[0])
    said = [bursts.counts("U0ALICE") for _ in range(BURST + 5)]

    assert said == [False] * (BURST - 1) + [True] * 6
    assert not bursts.counts("U0BOB")
    now[0] += 3.0
    assert not bursts.counts("U0ALICE")


async def test_api_queue_limits_bulk_in_flight() -> None:
    """Bulk requests in flight are limited, and a single request is sent at once."""
    sent: list[str] = []

    async def start(turns: list[str]) -> float:
        for turn in turns:
            sent.append(turn)
            lane.note_sent()
        return time.monotonic()

    lane: ApiQueue[str] = ApiQueue(5, start, supervisor=Supervisor(Metrics()))
    for number in range(200):
        lane.put(f"bulk{number}", bulk=True)
    await asyncio.sleep(0.2)
    assert len(sent) == 20, "no more of a bulk than four seconds' worth is on its way"

    lane.put("single", bulk=False)
    await asyncio.sleep(0.02)
    assert sent[-1] == "single"

    for _ in range(5):
        lane.note_answered()
    await asyncio.sleep(0.05)
    assert len(sent) == 25
    lane.close()


@pytest.mark.parametrize(("seconds", "at_least"), [(0.0, 1), (0.25, 5)])
async def test_slow_dispatch_takes_as_many_as_have_slots_meanwhile(
    seconds: float, at_least: int
) -> None:
    """However slow the database is, requests leave at the pace of their API."""
    taken = list[int]()

    async def start(turns: list[int]) -> float:
        taken.append(len(turns))
        await asyncio.sleep(seconds)
        return time.monotonic() + len(turns) / 20

    lane: ApiQueue[int] = ApiQueue(20, start, supervisor=Supervisor(Metrics()))
    for number in range(20):
        lane.put(number, bulk=False)
    await until(lambda: len(taken) > 2)
    lane.close()

    assert taken[0] == 1, "how long it takes is not known yet"
    assert taken[1] >= at_least
    assert seconds or taken[1] < 5
