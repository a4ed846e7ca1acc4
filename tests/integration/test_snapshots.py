"""The picture that was asked for before a ban: its address and hash go on the trail, once."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from bot.errors import PictureError
from bot.model.live_notices import Snapshot
from bot.model.operations import Operation
from bot.operations.pictures import Picture, Pictures
from bot.operations.snapshots import SnapshotService, SnapshotTaken
from bot.storage import snapshots
from bot.storage.store import Store
from tests.conftest import House, built
from tests.integration.test_evidence import POLICY, Cloud

ADDRESS = "https://b-1.cos.ap-guangzhou.myqcloud.com/s1-1.png"
CONTENT = b"\x89PNG of a stream"
STORED, REPEATED, IGNORED = SnapshotTaken.STORED, SnapshotTaken.REPEATED, SnapshotTaken.IGNORED


@dataclass
class Bucket:
    """Has one picture, or none."""

    problem: str = ""
    asked: list[str] = field(default_factory=list)

    async def fetch(self, address: str) -> Picture:
        self.asked.append(address)
        if self.problem:
            raise PictureError(self.problem)
        return Picture("picture.png", CONTENT)


@pytest.fixture
async def house(quick_store: Store) -> AsyncIterator[House]:
    async with built(quick_store, policy=POLICY, cloud=Cloud()) as one:
        yield one


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


def service(house: House, bucket: Bucket) -> SnapshotService:
    return SnapshotService(store=house.store, pictures=cast("Pictures", bucket))


def snapshot(banned: Operation, **more: Any) -> Snapshot:
    at = (banned.sent_at or 0.0) + 2
    one = Snapshot("default", "stream1", "push.example.com", "live", at, ADDRESS)
    return replace(one, **more)


def recorded(house: House, operation: Operation) -> list[dict[str, Any]]:
    with house.store.audit_log.records(operation=operation.id) as records:
        return [dict(one.facts) for one in records if one.kind == "picture"]


async def test_picture_of_a_ban_is_recorded_once(house: House, bucket: Bucket) -> None:
    """Its address without what may open the bucket, and its SHA-256; a repeat adds nothing."""
    banned = await house.run("ban stream1")
    one = snapshot(banned, address=f"{ADDRESS}?q-signature=secret")
    taken = [await service(house, bucket).take(one) for _ in range(2)]

    assert taken == [STORED, REPEATED]
    (facts,) = recorded(house, banned)
    assert facts["address"] == ADDRESS
    assert facts["picture_sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert facts["bytes"] == len(CONTENT)
    assert bucket.asked == [one.address]


async def test_picture_that_comes_twice_at_once_is_recorded_once(
    house: House, bucket: Bucket
) -> None:
    """Two replicas that take the same notice record it once."""
    banned = await house.run("ban stream1")
    both = [service(house, bucket).take(snapshot(banned)) for _ in range(2)]
    assert sorted(await asyncio.gather(*both)) == sorted([STORED, REPEATED])
    assert len(recorded(house, banned)) == 1


async def test_picture_that_cannot_be_fetched_has_its_address_on_the_trail(
    house: House, bucket: Bucket
) -> None:
    """Without its bytes there is no hash, and the record says why."""
    bucket.problem = "its host answered 403"
    banned = await house.run("ban stream1")
    assert await service(house, bucket).take(snapshot(banned)) == STORED
    (facts,) = recorded(house, banned)
    assert (facts["address"], facts["problem"]) == (ADDRESS, "its host answered 403")
    assert "picture_sha256" not in facts


@pytest.mark.parametrize(
    "other",
    [
        {"stream": "stream2"},
        {"account": "another"},
        {"domain": "other.example.com"},
        {"app": "vip"},
        {"at": 1_700_000_000.0},
    ],
)
async def test_picture_that_nobody_asked_for_is_left(
    house: House, bucket: Bucket, other: dict[str, Any]
) -> None:
    """A picture of another stream or of another time is neither fetched nor recorded."""
    banned = await house.run("ban stream1")
    assert await service(house, bucket).take(snapshot(banned, **other)) == IGNORED
    assert (recorded(house, banned), bucket.asked) == ([], [])


async def test_stop_without_evidence_has_no_picture(house: House, bucket: Bucket) -> None:
    """Where the policy asked for a recording or for nothing, no picture belongs to the stop."""
    dropped = await house.run("live stream1")
    recording = await house.run("ban rec-1")
    assert await service(house, bucket).take(snapshot(dropped)) == IGNORED
    assert await service(house, bucket).take(snapshot(recording, stream="rec-1")) == IGNORED
    assert bucket.asked == []


async def test_pictures_of_one_ban_are_bounded(
    house: House, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many addresses notices make up, no more are fetched."""
    monkeypatch.setattr(snapshots, "MOST", 2)
    banned = await house.run("ban stream1")
    taken = [
        await service(house, bucket).take(snapshot(banned, address=f"{ADDRESS}{number}"))
        for number in range(4)
    ]
    assert taken == [STORED, STORED, REPEATED, REPEATED]
    assert len(bucket.asked) == 2
