"""How far a clock is from those of the services that the bot talks to, by their `Date` headers."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

MOST = 300.0
"""Seconds: Tencent Cloud and Slack refuse a signature that is further off."""


def elapsed() -> float:
    """Return seconds that nobody sets, and that pass while the machine sleeps if it can tell."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(frozen=True, slots=True)
class Skew:
    """The difference between a clock and a service's.

    Attributes:
        service: As people know it.
        seconds: By which the clock is ahead of the service's, or behind if negative.
    """

    service: str
    seconds: float

    def sentence(self, whose: str = "this machine's clock") -> str:
        """Describe it."""
        side = "ahead of" if self.seconds > 0 else "behind"
        return f"{whose} is {abs(self.seconds):.0f} s {side} {self.service}'s"


class ClockSkew:
    """Remembers the last time that each service has told. Threads may share it.

    Args:
        clock: Epoch seconds of this machine.
        elapsed: Seconds since some moment.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = elapsed,
    ) -> None:
        self._clock = clock
        self._elapsed = elapsed
        self._told: dict[str, float] = {}
        self._heard_at: dict[str, float] = {}

    def note(self, service: str, headers: Mapping[str, str]) -> None:
        """Remember what the headers of an answer say, at most once a second."""
        now = self._elapsed()
        if now - self._heard_at.get(service, float("-inf")) < 1.0:
            return
        try:
            at = parsedate_to_datetime(headers.get("Date", "")).timestamp()
        except (ValueError, OverflowError):
            return
        self._heard_at[service] = now
        # The service's clock at the moment 0 of ours.
        self._told[service] = at - now

    def each(self, now: float | None = None) -> list[Skew]:
        """Return the skew of a clock to each service's.

        Args:
            now: What the clock says, epoch seconds; None asks this machine's.
        """
        at = self._clock() if now is None else now
        return [Skew(name, at - told - self._elapsed()) for name, told in self._told.items()]

    def excess(self, now: float | None = None) -> Skew | None:
        """Return the largest skew if that is too large to be trusted; see `each`."""
        skews = [one for one in self.each(now) if abs(one.seconds) > MOST]
        return max(skews, key=lambda one: abs(one.seconds), default=None)
