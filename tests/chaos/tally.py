"""What a campaign counts, and the lines that report it."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """What a campaign found; every list must be empty."""

    faults: Counter[str] = field(default_factory=Counter[str])
    restarts: int = 0
    stops: int = 0
    slowest_stop: float = 0.0
    points: int = 0
    points_killed: int = 0
    asked: int = 0
    accepted: int = 0
    endings: Counter[str] = field(default_factory=Counter[str])
    resent: int = 0
    lost: list[str] = field(default_factory=list[str])
    doubled: list[str] = field(default_factory=list[str])
    untrue: list[str] = field(default_factory=list[str])
    unposted: list[str] = field(default_factory=list[str])
    posted_twice: list[str] = field(default_factory=list[str])
    unlisted: list[str] = field(default_factory=list[str])
    late: list[str] = field(default_factory=list[str])
    unrecorded: list[str] = field(default_factory=list[str])
    trail: str = ""

    @property
    def kills(self) -> int:
        return self.faults["kill"]

    @property
    def wrong(self) -> bool:
        return bool(
            self.lost
            or self.doubled
            or self.untrue
            or self.unposted
            or self.posted_twice
            or self.unlisted
            or self.late
            or self.unrecorded
            or self.trail
        )

    @property
    def slow(self) -> bool:
        """Whether a stop took longer than is promised, on a machine that is idle."""
        return self.slowest_stop > 10

    def lines(self) -> list[str]:
        counted = {
            "lost": self.lost,
            "silently doubled": self.doubled,
            "untrue endings": self.untrue,
            "unposted": self.unposted,
            "posted twice": self.posted_twice,
            "wrong on the list of what is off": self.unlisted,
            "sent after their ending": self.late,
            "RequestIds not on the trail": self.unrecorded,
        }
        endings = ", ".join(f"{count} {name}" for name, count in self.endings.most_common())
        return [
            ", ".join(f"{count} {name}" for name, count in sorted(self.faults.items())),
            f"killed at {self.points_killed} of {self.points} points and at random",
            f"ended by themselves and started again: {self.restarts}",
            f"{self.stops} stops, the slowest took {self.slowest_stop:.1f} s",
            f"{self.asked} asked, {self.accepted} of them acked as taken: {endings}",
            f"ran more than once, and said so: {self.resent}",
            *(f"{name}: {len(found)}" for name, found in counted.items()),
            *(f"  {name}: {one}" for name, found in counted.items() for one in found[:5]),
            f"trail: {self.trail or 'every record verified'}",
        ]
