"""Runs the long experiments: `python -m tests.trials NAME`. Loopback only; each ends by itself."""

import argparse
import asyncio
import tempfile
from pathlib import Path

from bot import telemetry
from tests.trials.outage import outage


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=("outage",))
    parser.add_argument("--minutes", type=float, default=10.0, help="of the outage")
    parser.add_argument("--asks", type=int, default=100)
    options = parser.parse_args()
    telemetry.configure("console", level="CRITICAL")
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(outage(Path(folder), asks=options.asks, seconds=options.minutes * 60))
    for line in found.lines():
        print(line, flush=True)  # noqa: T201 (a terminal)


if __name__ == "__main__":
    main()
