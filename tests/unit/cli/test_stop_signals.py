"""A signal that comes while the last one is still being obeyed."""

import asyncio
import signal
import threading
from collections.abc import Iterator

import pytest

from bot.cli.stop_signals import stop_on_signal


@pytest.fixture
def handlers() -> Iterator[None]:
    """Restore what handles signals."""
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
async def test_signals_in_quick_succession_start_one_timer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many signals come before the timer's thread runs, it is started once."""
    stop, started = asyncio.Event(), [0]

    def start(_timer: threading.Timer) -> None:
        started[0] += 1
        if started[0] < 4:
            signal.raise_signal(signal.SIGINT if started[0] % 2 else signal.SIGTERM)

    monkeypatch.setattr(threading.Timer, "start", start)
    stop_on_signal(stop)

    signal.raise_signal(signal.SIGTERM)

    await stop.wait()
    assert started == [1]
