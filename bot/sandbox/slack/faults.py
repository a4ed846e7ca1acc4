"""The faults of the emulated Slack."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Faults:
    """What may go wrong with Slack.

    Attributes:
        down: Every call is answered with HTTP 503.
        revoked: The token is refused.
        delay: Seconds that every call takes.
        retry_after: Seconds that a forced rate limit asks for.
        limit_next: How many of the next calls are refused with HTTP 429, by method.
        lose_next: How many of the next answers are lost after the call was done, by method.
    """

    down: bool = False
    revoked: bool = False
    delay: float = 0.0
    retry_after: float = 1.0
    limit_next: dict[str, int] = field(default_factory=dict[str, int])
    lose_next: dict[str, int] = field(default_factory=dict[str, int])

    def limited(self, method: str) -> bool:
        """Use up one forced rate limit of a method, and return whether there was one."""
        return _use_up(self.limit_next, method)

    def loses(self, method: str) -> bool:
        """Use up one lost answer of a method, and return whether there was one."""
        return _use_up(self.lose_next, method)


def _use_up(counts: dict[str, int], name: str) -> bool:
    if counts.get(name, 0) <= 0:
        return False
    counts[name] -= 1
    return True
