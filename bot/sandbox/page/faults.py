"""The faults that the page can set on both emulators, and clear."""

from collections.abc import Mapping
from typing import Any

from bot.catalog.error_codes import explain
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.faults import (
    Deaf,
    Drip,
    Fault,
    Html,
    Http500,
    ResetAfter,
    ResetUnread,
    Silent,
    Truncated,
)
from bot.sandbox.tencent.server import CloudEmulator

THROTTLED = "RequestLimitExceeded"

FAULTS: Mapping[str, tuple[str, Fault]] = {
    "throttled": (f"is throttled ({THROTTLED})", Fault(code=THROTTLED)),
    "silent": ("hangs, and does nothing", Silent),
    "deaf": ("does it, and never answers", Deaf),
    "reset": ("breaks the connection before it reads", ResetUnread),
    "reset-after": ("does it, and breaks the connection", ResetAfter),
    "drip": ("answers a byte a second", Drip),
    "http500": ("does it, and answers HTTP 500", Http500),
    "html": ("does it, and answers with a web page", Html),
    "truncated": ("does it, and sends half an answer", Truncated),
}
"""What may happen to requests, apart from a refusal with a chosen code."""

_CALLS = ("chat.postMessage", "chat.update", "chat.postEphemeral", "views.open", "views.update")
_LONGEST_DELAY, _LARGEST_SKEW, _MOST_REQUESTS = 10.0, 86_400.0, 50


class FaultControls:
    """Sets and clears the faults of the emulated Slack and the emulated cloud."""

    def __init__(self, slack: Workspace, cloud: CloudEmulator) -> None:
        self._slack = slack
        self._cloud = cloud
        self._persistent = ""

    def state(self) -> dict[str, Any]:
        """Return the faults that are set."""
        slack = self._slack.faults
        return {
            "slack_down": slack.down,
            "slack_delay": slack.delay,
            "slack_limited": sum(slack.limit_next.values()),
            "cloud_fault": self._persistent,
            "cloud_next": self._cloud.faults.pending,
            "cloud_skew": self._cloud.skew,
        }

    def clear(self) -> None:
        """Clear all faults of both emulators."""
        self._slack.faults.clear()
        self._cloud.faults.clear()
        self._cloud.skew = 0.0
        self._persistent = ""

    def set_slack(self, *, down: bool, delay: float, limited: int) -> None:
        """Set the faults of Slack.

        Args:
            delay: Seconds that each call takes.
            limited: How many of the next calls of each writing method are refused with 429.
        """
        faults = self._slack.faults
        faults.down = down
        faults.delay = min(max(delay, 0.0), _LONGEST_DELAY)
        faults.retry_after = 2.0
        faults.limit_next.clear()
        if limited > 0:
            faults.limit_next |= dict.fromkeys(_CALLS, min(limited, _MOST_REQUESTS))

    def set_cloud(self, fault: str, code: str, *, times: int) -> None:
        """Set a fault of the cloud.

        Args:
            fault: One of FAULTS, `code` for a refusal with `code`, or empty for none.
            times: How many of the next requests; 0 for all until it is cleared.

        Raises:
            KeyError: There is no such fault.
        """
        faults = self._cloud.faults
        faults.clear()
        self._persistent = ""
        if not fault:
            return
        if fault == "code":
            description, pending = (
                f"refuses with {code}",
                Fault(code=code, message=explain(code).means),
            )
        else:
            description, pending = FAULTS[fault]
        if times > 0:
            faults.add(pending, times=min(times, _MOST_REQUESTS))
        else:
            faults.persist(pending)
            self._persistent = description

    def set_clock_skew(self, seconds: float) -> None:
        """Set how far the cloud's clock is ahead, or behind if negative."""
        self._cloud.skew = min(max(seconds, -_LARGEST_SKEW), _LARGEST_SKEW)
