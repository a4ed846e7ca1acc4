"""Runs the long experiments: `python -m tests.trials NAME`. Loopback only; each ends by itself."""

import argparse
import asyncio
import itertools
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from bot import telemetry
from tests.chaos.__main__ import database
from tests.trials.alerts import pace, worthless
from tests.trials.attack.campaign import attacks
from tests.trials.callbacks import callbacks
from tests.trials.connections import press
from tests.trials.disk import disk
from tests.trials.evidence import kill_between
from tests.trials.limits import behind, rate
from tests.trials.outage import outage
from tests.trials.silence import silence
from tests.trials.soak import Soak
from tests.trials.window import window


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=sorted(TRIALS))
    parser.add_argument("--minutes", type=float, default=10.0, help="of the outage or the soak")
    parser.add_argument("--rate", type=float, default=20.0, help="requests a second of the soak")
    parser.add_argument("--database", default="sqlite", choices=("sqlite", "postgresql"))
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--asks", type=int, default=100)
    parser.add_argument("--silences", type=int, default=20)
    parser.add_argument("--texts", type=int, default=3000, help="of the attack, by each way in")
    parser.add_argument("--only", default="", help="attacks whose names hold this")
    parser.add_argument("--kills", type=int, default=20, help="of the evidence")
    parser.add_argument("--queue", type=int, default=10_000)
    options = parser.parse_args()
    telemetry.configure("console", level="CRITICAL")
    asyncio.run(TRIALS[options.name](options))


async def _outage(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = await outage(Path(folder), asks=options.asks, seconds=options.minutes * 60)
    _say(*found.lines())


async def _callbacks(options: argparse.Namespace) -> None:
    with database(options.database) as (url, folder, _):
        found = await callbacks(folder, url, streams=options.asks, rate=2.0)
    _say(*found.lines())


async def _limits(_options: argparse.Namespace) -> None:
    for kind in ("car", "live"):
        for replicas in (1, 2, 4):
            with database("postgresql") as (url, folder, _):
                found = await rate(folder, url, replicas=replicas, kind=kind, seconds=20.0)
                _say(found.line())


async def _queue(options: argparse.Namespace) -> None:
    for kind in ("sqlite", "postgresql"):
        with database(kind) as (url, folder, _):
            left = await behind(folder, url, queue=options.queue)
            _say(f"{kind}: a single stop passed a queue of {options.queue} in {left:.2f} s")


async def _silence(options: argparse.Namespace) -> None:
    with database("postgresql") as (url, folder, _):
        found = sorted(await silence(folder, url, count=options.silences))
    middle = found[len(found) // 2]
    _say(f"{len(found)} silences: taken again after {middle:.1f} s, at most {found[-1]:.1f} s")


async def _window(options: argparse.Namespace) -> None:
    for each in (5.0, 10.0):
        with tempfile.TemporaryDirectory() as folder:
            found = await window(Path(folder), count=options.asks, rate=each)
        _say(f"{each:g} operations a second: {found.line()}")


async def _disk(_options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _say(*(await disk(Path(folder))).lines())


async def _connections(options: argparse.Namespace) -> None:
    for bare, (idle, slow) in itertools.product((True, False), ((0, 0), (10_000, 1_000))):
        with tempfile.TemporaryDirectory() as folder:
            found = await press(
                Path(folder), idle=idle, slow=slow, files=1024, asks=options.asks, bare=bare
            )
        server = "bare Bolt" if bare else "stopstream with 1,024 files"
        _say(f"{server}, {idle:,} idle and {slow:,} slow clients: {found.line()}")


async def _soak(options: argparse.Namespace) -> None:
    seconds = options.minutes * 60
    with database(options.database) as (url, folder, _):
        soak = Soak(
            url,
            folder,
            rate=options.rate,
            seconds=seconds,
            replicas=options.replicas,
            seed=options.seed,
        )
        found = await soak.run()
    _say(f"{options.database}, {options.replicas} replicas, {options.rate:g} a second")
    _say(*found.lines())
    if found.wrong:
        sys.exit(1)


async def _attack(options: argparse.Namespace) -> None:
    through = 0
    with tempfile.TemporaryDirectory() as folder:
        async for found in attacks(
            Path(folder), count=options.texts, seed=options.seed, only=options.only
        ):
            _say(found.line())
            through += len(found.through)
    if through:
        sys.exit(1)


async def _alerts(_options: argparse.Namespace) -> None:
    for kind, replicas in (("sqlite", 1), ("postgresql", 2)):
        with database(kind) as (url, folder, _):
            found = await pace(folder, url, replicas=replicas, rate=200.0, seconds=60.0)
            _say(f"{kind}: {found.line()}")
    with database("postgresql") as (url, folder, _):
        _say(*(one.line() for one in await worthless(folder, url, replicas=2, count=1000)))


async def _evidence(options: argparse.Namespace) -> None:
    with database(options.database) as (url, folder, _):
        found = await kill_between(folder, url, count=options.kills, seed=options.seed)
    _say(*found.lines())


def _say(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)  # noqa: T201 (a terminal)


TRIALS: dict[str, Callable[[argparse.Namespace], Coroutine[Any, Any, None]]] = {
    "callbacks": _callbacks,
    "alerts": _alerts,
    "attack": _attack,
    "disk": _disk,
    "evidence": _evidence,
    "connections": _connections,
    "limits": _limits,
    "outage": _outage,
    "queue": _queue,
    "silence": _silence,
    "soak": _soak,
    "window": _window,
}

if __name__ == "__main__":
    main()
