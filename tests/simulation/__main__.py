"""Runs many simulations, or replays one: `python -m tests.simulation --seed 7`."""

import argparse
import sys
import time

from tests.simulation.database import MemoryDatabase
from tests.simulation.mutations import MUTATIONS, found_at
from tests.simulation.run import STEPS, Run, run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, help="of one run, of which all steps are printed")
    parser.add_argument("--first", type=int, default=0, help="seed of the first run")
    parser.add_argument("--count", type=int, default=5_000)
    parser.add_argument("--steps", type=int, default=STEPS, help="how much is done in a run")
    parser.add_argument(
        "--broken", action="store_true", help="with bots that are wrong on purpose: finds each"
    )
    options = parser.parse_args()
    database = MemoryDatabase()
    if options.broken:
        return _all_found(options.count, database)
    if options.seed is not None:
        found = run(options.seed, database, options.steps)
        say(*found.steps, *report(found))
        return int(bool(found.wrong))
    began, wrong = time.process_time(), 0
    for seed in range(options.first, options.first + options.count):
        found = run(seed, database, options.steps)
        wrong += bool(found.wrong)
        say(*report(found))
    took = time.process_time() - began
    say(f"{options.count} runs, {wrong} of them wrong, {took:.1f} s of processor time")
    return int(bool(wrong))


def _all_found(count: int, database: MemoryDatabase) -> int:
    """Say for each mutation after how many runs it was found; return 1 if one was not."""
    missed = 0
    for mutation in MUTATIONS:
        seed = found_at(mutation, range(count), database)
        missed += seed is None
        name = mutation.__name__
        say(f"NOT FOUND: {name}" if seed is None else f"{name}: found after {seed + 1} runs")
    return int(bool(missed))


def report(found: Run) -> list[str]:
    """Return the lines about a run: none where nothing is wrong."""
    return [f"--seed {found.seed}: {one}" for one in found.wrong]


def say(*lines: str) -> None:
    print(*lines, sep="\n", end="\n" if lines else "", flush=True)  # noqa: T201 (a terminal)


if __name__ == "__main__":
    sys.exit(main())
