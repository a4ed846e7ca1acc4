"""Runs many simulations, or replays one: `python -m tests.simulation --seed 7`."""

import argparse
import sys
import time

from tests.simulation.database import MemoryDatabase
from tests.simulation.run import Run, run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, help="of one run, of which all steps are printed")
    parser.add_argument("--first", type=int, default=0, help="seed of the first run")
    parser.add_argument("--count", type=int, default=20_000)
    options = parser.parse_args()
    database = MemoryDatabase()
    if options.seed is not None:
        found = run(options.seed, database)
        say(*found.steps, *report(found))
        return int(bool(found.wrong))
    began, wrong = time.process_time(), 0
    for seed in range(options.first, options.first + options.count):
        found = run(seed, database)
        wrong += bool(found.wrong)
        say(*report(found))
    took = time.process_time() - began
    say(f"{options.count} runs, {wrong} of them wrong, {took:.1f} s of processor time")
    return int(bool(wrong))


def report(found: Run) -> list[str]:
    """Return the lines about a run: none where nothing is wrong."""
    return [f"--seed {found.seed}: {one}" for one in found.wrong]


def say(*lines: str) -> None:
    print(*lines, sep="\n", end="\n" if lines else "", flush=True)  # noqa: T201 (a terminal)


if __name__ == "__main__":
    sys.exit(main())
