"""A PostgreSQL whose answers take long: what is asked is sent all the same."""

import asyncio

from bot.model.operations import State
from tests.conftest import built, opened
from tests.support.database_relay import relayed
from tests.support.waiting import BOUND


async def test_stop_is_sent_although_its_slot_has_passed_when_it_is_known(
    postgres_url: str,
) -> None:
    """Each commit takes longer than a request may be late: the request waits for few slots."""
    with relayed(postgres_url) as relay:
        async with opened(relay.url) as store, built(store) as house:
            relay.distance = 0.02
            async with asyncio.timeout(BOUND):
                ended = await house.run("live s1")

    assert ended.state is State.ACCEPTED
    assert len(house.cloud.sent) == 1
