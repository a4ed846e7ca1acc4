"""The weather that the page can bring over both emulators, and clear."""

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
"""What may happen to requests, beside a refusal with a chosen code."""

_CALLS = ("chat.postMessage", "chat.update", "chat.postEphemeral", "views.open", "views.update")
_SLOWEST, _FURTHEST, _MOST = 10.0, 86_400.0, 50


class FaultControls:
    """The weather over the emulated Slack and the emulated cloud."""

    def __init__(self, slack: Workspace, cloud: CloudEmulator) -> None:
        self._slack = slack
        self._cloud = cloud
        self._lasting = ""

    def state(self) -> dict[str, Any]:
        """Give the weather as it is."""
        slack = self._slack.faults
        return {
            "slack_down": slack.down,
            "slack_delay": slack.delay,
            "slack_limited": sum(slack.limit_next.values()),
            "cloud_fault": self._lasting,
            "cloud_next": self._cloud.faults.pending,
            "cloud_skew": self._cloud.skew,
        }

    def clear(self) -> None:
        """Bring fair weather everywhere."""
        slack = self._slack.faults
        slack.down, slack.revoked, slack.delay = False, False, 0.0
        slack.limit_next.clear()
        slack.lose_next.clear()
        self._cloud.faults.clear()
        self._cloud.skew = 0.0
        self._lasting = ""

    def set_slack(self, *, down: bool, delay: float, limited: int) -> None:
        """Set Slack's weather.

        Args:
            delay: Seconds that each call takes.
            limited: How many of the next calls of each writing method are refused with 429.
        """
        weather = self._slack.faults
        weather.down = down
        weather.delay = min(max(delay, 0.0), _SLOWEST)
        weather.retry_after = 2.0
        weather.limit_next.clear()
        if limited > 0:
            weather.limit_next |= dict.fromkeys(_CALLS, min(limited, _MOST))

    def set_cloud(self, fault: str, code: str, *, times: int) -> None:
        """Let the cloud's requests meet a fault.

        Args:
            fault: One of FAULTS, `code` for a refusal with `code`, or empty for none.
            times: How many of the next requests; 0: all until it clears.

        Raises:
            KeyError: There is no such fault.
        """
        weather = self._cloud.faults
        weather.clear()
        self._lasting = ""
        if not fault:
            return
        if fault == "code":
            words, coming = f"refuses with {code}", Fault(code=code, message=explain(code).means)
        else:
            words, coming = FAULTS[fault]
        if times > 0:
            weather.add(coming, times=min(times, _MOST))
        else:
            weather.persist(coming)
            self._lasting = words

    def set_clock_skew(self, seconds: float) -> None:
        """Put the cloud's clock ahead, or behind."""
        self._cloud.skew = min(max(seconds, -_FURTHEST), _FURTHEST)
