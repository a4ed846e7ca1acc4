"""A clock that a test moves."""

import time


class ManualClock:
    """Stands still at the time of its making, until a test moves it on."""

    def __init__(self) -> None:
        self._now = time.time()

    def __call__(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += seconds
