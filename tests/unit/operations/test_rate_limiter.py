"""A slot that was missed delays a request, and never keeps it."""

import asyncio
import time
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

import pytest

from bot.catalog.live import DROP_LIVE_STREAM
from bot.metrics import Metrics
from bot.model.commands import Command
from bot.operations.rate_limiter import RateLimiter
from bot.storage.store import Store

COMMAND = Command(DROP_LIVE_STREAM, {"StreamName": "s1"}, "", "default")


@dataclass
class SlowLimits:
    """Reserves the first slot that is free, and answers after it may have passed."""

    takes: float
    leads: list[float] = field(default_factory=list)

    async def reserve(self, _account: str, _api: str, _interval: float, lead: float = 0.0) -> float:
        self.leads.append(lead)
        at = time.monotonic() + lead
        await asyncio.sleep(self.takes)
        return at


def limiter_over(limits: SlowLimits) -> RateLimiter:
    return RateLimiter(cast(Store, SimpleNamespace(rate_limits=limits)), Metrics())


@pytest.mark.parametrize("takes", [0.03, 0.2])
async def test_request_leaves_where_every_slot_has_passed_when_it_is_known(takes: float) -> None:
    """A database that answers later than a slot allows does not keep a request for ever."""
    limits = SlowLimits(takes)
    async with asyncio.timeout(30):
        await limiter_over(limits).acquire(COMMAND)

    assert len(limits.leads) <= 4


async def test_next_slot_lies_ahead_by_more_than_what_was_missed() -> None:
    """After a miss the slot is reserved so far ahead that the same delay does not miss it."""
    limits = SlowLimits(0.05)
    async with asyncio.timeout(30):
        await limiter_over(limits).wait_for(COMMAND, time.monotonic() - 0.1)

    assert limits.leads[0] >= 0.2
