"""The supervisor: it restarts a loop that fails, and reports one that stays down."""

import asyncio

from structlog.testing import capture_logs

from bot.metrics import Metrics
from bot.supervision import DOWN, FIRST, LONGEST, MOST, Supervisor
from tests.support.supervision import Clock, Work, become, come, figure, restarts


async def test_supervisor_restarts_crashed_loop() -> None:
    """A loop that breaks off is started again, with a traceback in the log and a count."""
    clock, metrics, work = Clock(), Metrics(), Work(3)
    supervisor = Supervisor(metrics, clock=clock, sleep=clock.sleep)
    with capture_logs() as logs:
        loop = supervisor.start("work", work)
        await come(work.passed)
        loop.stop()

    broken = [line for line in logs if line["event"] == "a loop broke off and starts again"]
    assert [line["loop"] for line in broken] == ["work"] * 3
    assert all(isinstance(line["exc_info"], ZeroDivisionError) for line in broken)
    assert restarts(metrics, "work") == 3


async def test_supervisor_restarts_loop_that_was_cancelled_from_within() -> None:
    """A cancellation that nobody asked the supervisor for is a failure like any other."""
    clock, metrics, tries = Clock(), Metrics(), 0
    passed = asyncio.Event()

    async def work() -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise asyncio.CancelledError
        passed.set()

    loop = Supervisor(metrics, clock=clock, sleep=clock.sleep).start("work", work)
    await come(passed)
    loop.stop()
    assert restarts(metrics, "work") == 1


async def test_supervisor_waits_longer_after_each_failure_and_forgets_after_a_success() -> None:
    """The back-off doubles up to its cap, has jitter, and begins anew after a pass that worked."""
    clock, metrics, work = Clock(), Metrics(), Work(12)
    loop = Supervisor(metrics, clock=clock, sleep=clock.sleep).start("work", work)
    await come(work.passed)
    waits = [seconds for seconds in clock.slept if seconds]
    assert len(waits) == 12
    for number, wait in enumerate(waits):
        full = min(MOST, FIRST * 2**number)
        assert full / 2 <= wait <= full

    work.tries, work.failures, work.passed = 0, 1, asyncio.Event()
    await come(work.passed)
    assert FIRST / 2 <= [seconds for seconds in clock.slept if seconds][-1] <= FIRST
    loop.stop()


async def test_supervisor_names_loop_that_keeps_failing_until_it_works() -> None:
    """A loop counts as not running once it has failed for DOWN, and runs after one good pass."""
    clock, metrics, work = Clock(), Metrics(), Work(10**9)
    supervisor = Supervisor(metrics, clock=clock, sleep=clock.sleep)
    loop = supervisor.start("work", work)
    await become(lambda: work.tries > 2)
    assert supervisor.trouble() == "", "a short trouble is none"
    assert figure(metrics, "stopstream_loop_up", "work") == 1

    clock.now += DOWN + 1
    assert supervisor.trouble() == f"not running: work has failed for {DOWN + 1:.0f} s"
    assert figure(metrics, "stopstream_loop_up", "work") == 0

    work.failures = 0
    await come(work.passed)
    await become(lambda: not supervisor.trouble())
    assert figure(metrics, "stopstream_loop_up", "work") == 1
    loop.stop()
    assert figure(metrics, "stopstream_loop_up", "work") is None


async def test_supervisor_names_loop_that_hangs() -> None:
    """A pass that does not come to its end is seen without any exception."""
    clock, work = Clock(), Work(0, hangs=True)
    supervisor = Supervisor(Metrics(), clock=clock, sleep=clock.sleep)
    loop = supervisor.start("work", work)
    await come(work.hanging)
    clock.now += LONGEST
    assert supervisor.trouble() == ""
    clock.now += 1
    assert supervisor.trouble() == f"not running: work has been silent for {LONGEST + 1:.0f} s"
    loop.stop()
    assert supervisor.trouble() == "", "what was stopped is not missed"
