"""The background queue."""

import asyncio

import pytest
import structlog

from bot.errors import StoreError
from bot.metrics import Metrics
from bot.supervision import Supervisor
from handlers.slack.api_calls import CallError, Refused
from handlers.slack.background import BackgroundQueue


async def test_background_queue_survives_failed_job() -> None:
    """A failed background job is reported with a fault number and stops no worker."""
    background = BackgroundQueue(supervisor=Supervisor(Metrics()), workers=1)
    done: list[str] = []

    async def broken() -> None:
        raise ZeroDivisionError

    async def on_failure(fault: str) -> None:
        done.append(fault)
        raise ZeroDivisionError

    async def fine() -> None:
        done.append("fine")

    background.start()
    assert background.submit("broken", broken, on_failure)
    assert background.submit("fine", fine)
    await background.stop(grace=60.0)

    assert len(done[0]) == 8
    assert done[1:] == ["fine"]


async def test_background_queue_abandons_slow_job() -> None:
    """A background job that exceeds its timeout is abandoned and reported."""
    background = BackgroundQueue(supervisor=Supervisor(Metrics()), workers=1, timeout=0.01)
    done: list[str] = []

    async def endless() -> None:
        await asyncio.Event().wait()

    async def on_failure(fault: str) -> None:
        done.append(fault)

    background.start()
    background.submit("endless", endless, on_failure)
    await background.stop(grace=60.0)

    assert len(done) == 1


@pytest.mark.parametrize(
    ("error", "traced"),
    [
        (CallError(Refused("channel_not_found")), False),
        (StoreError("the disk is full"), False),
        (TimeoutError(), False),
        (ZeroDivisionError(), True),
    ],
)
async def test_only_a_defect_is_logged_with_its_traceback(error: Exception, traced: bool) -> None:
    """What Slack or the database refuses is one line that says why."""
    background = BackgroundQueue(supervisor=Supervisor(Metrics()), workers=1)

    async def failing() -> None:
        raise error

    background.start()
    with structlog.testing.capture_logs() as lines:
        background.submit("failing", failing)
        await background.stop(grace=60.0)

    (line,) = [one for one in lines if one["event"] == "an errand failed"]
    assert line["why"]
    assert bool(line.get("exc_info")) == traced
