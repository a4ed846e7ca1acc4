"""Bots that the tests of several files share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.cli.settings import Settings, read_settings
from bot.operations.executor import LOOK_AFTER
from bot.storage.store import Store
from tests.conftest import House, built, opened
from tests.support.clocks import ManualClock
from tests.support.off_air import POLICY


@pytest.fixture(autouse=True)
def _no_look_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verifier looks when a test has it look, however slow the machine is."""
    monkeypatch.setattr("bot.operations.executor.LOOK_AFTER", 1e6)


@pytest.fixture
def _looks_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verifier looks as it does in production."""
    monkeypatch.setattr("bot.operations.executor.LOOK_AFTER", LOOK_AFTER)


@pytest.fixture
async def home(store: Store) -> AsyncIterator[House]:
    async with built(store, policy=POLICY) as one:
        one.cloud.bodies["DescribeLiveStreamState"] = {"StreamState": "inactive"}
        yield one


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def timed_bot(database_url: str, clock: ManualClock) -> AsyncIterator[House]:
    """A bot whose store and clock stand still until a test moves them; its heart beats often."""
    async with (
        opened(database_url, lease=0.5, clock=clock) as store,
        built(store, policy=POLICY, clock=clock) as bot,
    ):
        bot.cloud.bodies["DescribeLiveStreamState"] = {"StreamState": "inactive"}
        yield bot


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The settings of a program with a database of its own and nothing else."""
    return read_settings(STOPSTREAM_DATABASE_URL=f"sqlite:///{tmp_path / 'stopstream.db'}")
