"""`stopstream audit prune` removes no record that a copy lacks, nor by a clock that is wrong."""

import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.audit.signing_key import load_signer
from bot.audit.trail_file import TrailFile
from bot.cli.demo import Emulated
from bot.cli.output import DONE, FAILED
from bot.cli.serve import Server
from bot.cli.settings import Settings, read_settings
from bot.cli.wiring import open_copies
from bot.errors import ConfigError
from bot.metrics import Metrics
from bot.operations.audit_sink import SinkRelay
from bot.operations.file_sink import FileSink
from bot.storage.store import Store
from bot.supervision import Supervisor
from tests.conftest import opened
from tests.support.audit_terminal import fill, run
from tests.support.worlds import emulated

HOUR = 3600.0


@contextlib.asynccontextmanager
async def an_hour_ago(settings: Settings) -> AsyncIterator[Store]:
    """Open the trail by a clock that is an hour behind."""
    signer = load_signer(None, settings.key_file)
    clock = lambda: time.time() - HOUR  # noqa: E731 (a clock)
    async with opened(settings.database_url, signer=signer, clock=clock) as store:
        yield store


async def numbers(settings: Settings) -> list[int]:
    """Return the numbers of the records that are there."""
    async with opened(settings.database_url) as store:
        with store.audit_log.records() as records:
            return [one.seq for one in records]


def with_file(settings: Settings, file: Path) -> Settings:
    return settings.model_copy(update={"audit_sink": str(file)})


@pytest.mark.parametrize("force", [(), ("--force",)])
async def test_prune_keeps_what_the_file_lacks(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], force: tuple[str, ...]
) -> None:
    """Old records that the audit sink's file lacks stay, also with --force; then they go."""
    file = tmp_path / "copy.jsonl"
    settings = with_file(settings, file)
    async with an_hour_ago(settings) as store:
        await fill(store, 6)
        assert await FileSink(store, TrailFile(file)).advance() == 0
        await fill(store, 2)
    before = await numbers(settings)

    assert await run(settings, "prune", "--keep", "30m", *force) == FAILED

    assert await numbers(settings) == before
    assert f"nothing was removed: 1 of the records that are due are not at {file}" in (
        capsys.readouterr().err
    )
    async with opened(settings.database_url) as store:
        await FileSink(store, TrailFile(file)).advance()
    assert await run(settings, "prune", "--keep", "30m", *force) == DONE
    assert (await numbers(settings))[0] > 1


async def test_prune_makes_no_copy_and_takes_no_other_trail_for_one(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is not there has nothing and is not made; one of another trail stops it."""
    async with an_hour_ago(settings) as store:
        await fill(store, 6)
    absent, other = tmp_path / "absent.jsonl", tmp_path / "other.jsonl"
    async with opened(f"sqlite:///{tmp_path / 'other.db'}") as store:
        await fill(store, 9)
        await FileSink(store, TrailFile(other)).advance()

    assert await run(with_file(settings, absent), "prune", "--keep", "30m") == FAILED
    assert not absent.exists()
    assert await run(with_file(settings, other), "prune", "--keep", "30m") == FAILED

    assert "its last record, 9, is not on this trail" in capsys.readouterr().err
    assert (await numbers(settings))[0] == 1


@pytest.mark.parametrize("kind", ["sink", "webhook"])
async def test_prune_keeps_what_an_address_has_not_taken(settings: Settings, kind: str) -> None:
    """Old records stay until the address that is set has them, or their events."""
    address = "https://collector.example.com/in"
    name = {"sink": "audit_sink", "webhook": "webhook_url"}[kind]
    settings = settings.model_copy(update={name: address})
    async with an_hour_ago(settings) as store:
        (copy,) = open_copies(settings, store)
        await store.sinks.begin_at_end(copy._id)  # type: ignore[attr-defined] # noqa: SLF001 (as it is stored)
        await fill(store, 6)

        assert await run(settings, "prune", "--keep", "30m", "--force") == FAILED

        batch = await store.sinks.claim(copy._id, 100)  # type: ignore[attr-defined] # noqa: SLF001 (the same)
        assert batch is not None
        await store.sinks.mark_taken(copy._id, batch.last)  # type: ignore[attr-defined] # noqa: SLF001 (the same)
    assert await run(settings, "prune", "--keep", "30m", "--force") == DONE
    assert (await numbers(settings))[0] > 1


async def test_prune_owes_nothing_to_a_webhook_that_never_began(settings: Settings) -> None:
    """A webhook is told only of what happens after its address was set."""
    async with an_hour_ago(settings) as store:
        await fill(store, 6)
    settings = settings.model_copy(update={"webhook_url": "https://hook.example.com/in"})

    assert await run(settings, "prune", "--keep", "30m") == DONE
    assert (await numbers(settings))[0] == 2


@contextlib.asynccontextmanager
async def world_with_old_records(folder: Path) -> AsyncIterator[tuple[Emulated, Settings]]:
    async with emulated(folder, socket=False, limits=False) as world:
        settings = read_settings(**world.environment)
        async with an_hour_ago(settings) as store:
            await fill(store, 6)
        yield world, settings


@pytest.mark.parametrize("ahead", [700.0, -700.0])
async def test_prune_removes_nothing_by_a_clock_that_others_contradict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ahead: float
) -> None:
    """The command asks Slack and Tencent Cloud for the time; --force says that ours is right."""
    async with world_with_old_records(tmp_path) as (world, settings):
        world.cloud.skew = -ahead

        assert await run(settings, "prune", "--keep", "30m") == FAILED

        side = "ahead of" if ahead > 0 else "behind"
        assert f" s {side} Tencent Cloud's; check the clock" in capsys.readouterr().err
        assert (await numbers(settings))[0] == 1
        assert await run(settings, "prune", "--keep", "30m", "--force") == DONE
        assert (await numbers(settings))[0] > 1


async def test_prune_says_if_it_could_not_compare_the_clock(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nobody can be asked for the time, it goes on and says so."""
    async with an_hour_ago(settings) as store:
        await fill(store, 6)

    assert await run(settings, "prune", "--keep", "30m") == DONE

    printed = capsys.readouterr()
    assert "neither Slack nor Tencent Cloud said what time it is" in printed.err
    assert printed.out.startswith("1 record removed, behind a tombstone; ")


async def test_prune_says_if_nothing_is_old(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nothing is due, there is no talk of a tombstone."""
    async with an_hour_ago(settings) as store:
        await fill(store, 3)

    assert await run(settings, "prune", "--keep", "2h") == DONE

    assert capsys.readouterr().out == "nothing to remove: no record that may go is older than 2h\n"


async def test_prune_needs_to_know_how_long_records_are_kept(settings: Settings) -> None:
    """Without either way to say it, the option is named, with an example."""
    async with an_hour_ago(settings) as store:
        await fill(store, 3)

    with pytest.raises(ConfigError, match=r"^--keep: is missing, .* --keep 400d"):
        await run(settings, "prune")
    with pytest.raises(ConfigError, match=r"^STOPSTREAM_AUDIT_KEEP: write a time"):
        await run(settings.model_copy(update={"audit_keep": "soon"}), "prune")


class Slow:
    """A place that has not taken all."""

    name = "slow"

    async def advance(self) -> int:
        return 1

    async def behind(self) -> int:
        return 1

    async def close(self) -> None:
        """Hold nothing."""


@pytest.mark.parametrize("lagging", ["_sink", "_webhook"])
async def test_bot_removes_nothing_that_the_sink_or_the_webhook_lacks(
    tmp_path: Path, lagging: str
) -> None:
    """The bot's own retention waits for each of both."""
    async with emulated(tmp_path, socket=False, limits=False) as world:
        bot = Server(read_settings(**world.environment))
        assert bot._is_copied()  # noqa: SLF001 (what its retention asks)
        relay = SinkRelay(Slow(), supervisor=Supervisor(Metrics()))
        await relay.copy()
        setattr(bot, lagging, relay)
        assert not bot._is_copied()  # noqa: SLF001 (the same)
