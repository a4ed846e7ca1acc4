"""Slack's rate limits.

Source: https://docs.slack.dev/apis/web-api/rate-limits
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

PER_MINUTE: Mapping[str, int] = {
    "chat.update": 50,
    "chat.postEphemeral": 100,
    "files.getUploadURLExternal": 100,
    "files.completeUploadExternal": 100,
    "users.info": 100,
    "users.list": 20,
    "usergroups.users.list": 20,
    "conversations.info": 50,
    "conversations.history": 50,
    "conversations.replies": 50,
    "views.open": 100,
    "views.push": 100,
    "views.update": 100,
    "views.publish": 100,
    "apps.connections.open": 50,
}
"""Slack's tiers; its bursts are not published, so a minute's worth may come at once."""

_BURST, _POSTS_PER_SECOND = 10.0, 1.0
"""chat.postMessage: one per second and channel, with a short burst."""


class RateLimits:
    """Counts the calls of each method against Slack's limits.

    Args:
        clock: Returns epoch seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._calls: dict[str, deque[float]] = {}
        self._allowance: dict[str, tuple[float, float]] = {}

    def wait(self, method: str, args: Mapping[str, Any]) -> float:
        """Count a call, and return the seconds until it may be made again; 0 if it passes."""
        if method == "chat.postMessage":
            return self._wait_to_post(str(args.get("channel", "")))
        limit = PER_MINUTE.get(method)
        if limit is None:
            return 0.0
        now = self._clock()
        calls = self._calls.setdefault(method, deque())
        while calls and calls[0] <= now - 60.0:
            calls.popleft()
        if len(calls) >= limit:
            return 60.0 - (now - calls[0])
        calls.append(now)
        return 0.0

    def _wait_to_post(self, channel: str) -> float:
        now = self._clock()
        left, at = self._allowance.get(channel, (_BURST, now))
        left = min(_BURST, left + (now - at) * _POSTS_PER_SECOND)
        if left < 1.0:
            return (1.0 - left) / _POSTS_PER_SECOND
        self._allowance[channel] = (left - 1.0, now)
        return 0.0
