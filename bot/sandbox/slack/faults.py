"""The faults of the emulated Slack."""

from collections import deque
from dataclasses import dataclass, field

RESPONSE_URL = "response_url"
"""The name of the responses among the methods that may be refused."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A code that a call is answered with.

    Attributes:
        done: Whether Slack does what was asked all the same, as after `fatal_error`.
    """

    code: str
    done: bool = False


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
    limit_next: dict[str, int] = field(default_factory=dict)
    lose_next: dict[str, int] = field(default_factory=dict)
    _refused_next: dict[str, deque[Refusal]] = field(default_factory=dict)
    _refused: dict[str, Refusal] = field(default_factory=dict)

    def refuse(self, method: str, code: str, *, times: int | None = 1, done: bool = False) -> None:
        """Answer the next calls of a method with a code.

        Args:
            method: RESPONSE_URL for the responses to a `response_url`; empty for every method.
            times: How many calls; None for all until `clear`.
        """
        refusal = Refusal(code, done)
        if times is None:
            self._refused[method] = refusal
        else:
            self._refused_next.setdefault(method, deque()).extend([refusal] * times)

    def refusal(self, method: str) -> Refusal | None:
        """Use up one refusal of a method, and return it; None if the call is served."""
        for name in (method, ""):
            if self._refused_next.get(name):
                return self._refused_next[name].popleft()
        return self._refused.get(method) or self._refused.get("")

    def clear(self) -> None:
        """Remove all faults."""
        self.down, self.revoked, self.delay = False, False, 0.0
        for faults in (self.limit_next, self.lose_next, self._refused_next, self._refused):
            faults.clear()

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
