"""A read is sent once more where its key had lapsed, as long as it is wanted."""

import pytest

from bot.catalog.registry import by_api
from bot.errors import LapsedKeyError
from bot.metrics import Metrics
from bot.model.commands import Command
from bot.operations.rate_limiter import RateLimiter
from bot.operations.state_reader import StateReader
from tests.conftest import House
from tests.support.fakes import FakeCloud

READ = Command(
    by_api("DescribeLiveStreamState"),
    {"StreamName": "s1", "DomainName": "push.example.com", "AppName": "live"},
)
LAPSED = LapsedKeyError("AuthFailure.TokenFailure", "lapsed", request_id="r1")


@pytest.mark.parametrize(
    ("refusals", "wanted", "sent", "answered"),
    [(1, 9, 2, True), (2, 9, 2, False), (1, 1, 1, False)],
    ids=["lapsed once", "lapsed again", "not wanted any more"],
)
async def test_read_is_sent_once_more_with_another_key(
    house: House, refusals: int, wanted: int, sent: int, *, answered: bool
) -> None:
    """A second refusal is the answer; what is not wanted any more is not sent again."""
    cloud = FakeCloud(faults=[LAPSED] * refusals)
    limiter = RateLimiter(house.store, Metrics())
    reader = StateReader(
        cloud=cloud, limiter=limiter, authorizer=house.authorizer, pushes=house.store.pushes
    )
    left = iter([True] * wanted)

    body = await reader.send(READ, may_leave=lambda: next(left, False))

    assert len(cloud.sent) == sent
    assert (body is not None) is answered
