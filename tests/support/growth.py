"""How the work of reading a text grows with it, whatever else the machine does."""

import time
from collections.abc import Callable

TIMES = 8
MOST = 3 * TIMES
"""Linear growth is by `TIMES`, quadratic by its square: 8 and 64."""

_TRIES = 5

_NOISE = 2e-5
"""Seconds below which the clock of a thread tells nothing, at times not even that it ran."""


def growth(read: Callable[[str], object], short: str, long: str) -> float:
    """Return by how much longer a long text takes than a short one.

    The least processor time of this thread counts. What looks like too much is tried again.
    """
    least_short = least_long = float("inf")
    for tried in range(_TRIES):
        least_short = min(least_short, _took(read, short))
        if not tried:
            least_short = min(least_short, _took(read, short))
        least_long = min(least_long, _took(read, long))
        if least_long < MOST * max(least_short, _NOISE):
            break
    return least_long / max(least_short, _NOISE)


def _took(read: Callable[[str], object], text: str) -> float:
    before = time.thread_time()
    read(text)
    return time.thread_time() - before
