"""Takes the pictures that were asked for before a stop: their address and hash go on the trail.

A callback is a hint, and its address is foreign: it is called only where the hosts of pictures
are allowed, and the picture is kept nowhere but in Tencent Cloud's bucket.
"""

import asyncio
import hashlib
from enum import StrEnum

import structlog

from bot.audit.bundle import PICTURE_HASH
from bot.errors import PictureError
from bot.model.actions import Json
from bot.model.live_notices import Snapshot
from bot.operations.pictures import Pictures
from bot.redact import redact
from bot.storage.store import Store

log = structlog.get_logger("stopstream.hooks")

_AT_ONCE = 4
"""Pictures that are fetched at the same time."""

_LONGEST, _LONGEST_ADDRESS = 200, 2000


class SnapshotTaken(StrEnum):
    """What became of a callback about a picture."""

    STORED = "stored"
    REPEATED = "repeated"
    """It is on the trail, or its operation has enough of them."""
    IGNORED = "ignored"
    """Nothing asked for it."""


class SnapshotService:
    """Records the pictures that belong to a stop."""

    def __init__(self, *, store: Store, pictures: Pictures) -> None:
        self._store = store
        self._pictures = pictures
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def take(self, snapshot: Snapshot) -> SnapshotTaken:
        """Record a picture with the operation that asked for it; fetch it for its hash.

        Raises:
            StoreError: It is not recorded, or nobody knows.
        """
        operation = await self._store.snapshots.wanted_by(snapshot)
        if not operation:
            return SnapshotTaken.IGNORED
        async with self._places:
            if await self._store.snapshots.is_known(snapshot, operation):
                return SnapshotTaken.REPEATED
            facts = await self._look_at(snapshot)
        recorded = await self._store.snapshots.record(snapshot, operation, facts)
        return SnapshotTaken.STORED if recorded else SnapshotTaken.REPEATED

    async def _look_at(self, snapshot: Snapshot) -> dict[str, Json]:
        """Return what is recorded of a picture: its hash, or why there is none."""
        # What follows a question mark may be a signature that opens the bucket.
        address = snapshot.address.partition("?")[0]
        facts: dict[str, Json] = {"via": "callback", "taken_at": snapshot.at}
        facts["address"] = redact(address, _LONGEST_ADDRESS)
        try:
            picture = await self._pictures.fetch(snapshot.address)
        except PictureError as error:
            log.warning("a snapshot is not fetched", why=str(error))
            return facts | {"problem": redact(str(error), _LONGEST)}
        facts[PICTURE_HASH] = hashlib.sha256(picture.content).hexdigest()
        return facts | {"bytes": len(picture.content)}
