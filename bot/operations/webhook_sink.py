"""Tells another system what became of operations: one signed request for each event, in order."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import aiohttp

from bot.audit.hash_chain import Record
from bot.errors import SinkError
from bot.operations.webhook_events import event_of, signed_headers
from bot.storage.sinks import Batch
from bot.storage.store import Store

_BATCH = 50
"""How many records are looked at before it is noted how far that has come."""

_TIMEOUT = aiohttp.ClientTimeout(total=10.0, connect=5.0)

_SEND_WITHIN = 45.0
"""Seconds for all requests of a batch; shorter than the lease of a sink (`bot.storage.sinks`)."""


class WebhookSink:
    """Sends each event until it is taken, and the next one only then.

    It begins with what happens after its address was set for the first time. An answer may be
    lost: the id in the headers tells the receiver that it has had the event.

    Args:
        secrets: Each signs; two while one is replaced.
        clock: Epoch seconds, for the signatures.
    """

    def __init__(
        self,
        store: Store,
        url: str,
        secrets: Sequence[bytes],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        parts = urlsplit(url)
        # Without what may be a secret: the query, and often the path.
        self.name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._id = f"webhook:{hashlib.sha256(url.encode()).hexdigest()[:16]}"
        self._store = store
        self._url = url
        self._secrets = secrets
        self._clock = clock
        self._begun = False
        self._client: aiohttp.ClientSession | None = None

    async def advance(self) -> int:
        """Send the next events; return how many records are still to be looked at.

        Raises:
            SinkError: One is not taken, or nobody knows.
            StoreError: They cannot be read.
        """
        sinks = self._store.sinks
        if not self._begun:
            await sinks.begin_at_end(self._id)
            self._begun = True
        behind = await sinks.behind(self._id)
        batch = await sinks.claim(self._id, _BATCH) if behind else None
        if batch is None:
            return behind
        try:
            async with asyncio.timeout(_SEND_WITHIN):
                await self._send(batch)
        except TimeoutError:
            raise SinkError(f"a batch takes longer than {_SEND_WITHIN:.0f} s") from None
        return batch.last - batch.records[-1].seq

    async def behind(self) -> int:
        """Return how many records are still to be looked at; 0 before it has begun.

        Raises:
            StoreError: The database does not answer.
        """
        sinks = self._store.sinks
        return 0 if await sinks.taken(self._id) is None else await sinks.behind(self._id)

    async def taken(self) -> int | None:
        """Return the number of the last record that was told or needs no event; None before any.

        Raises:
            StoreError: The database does not answer.
        """
        return await self._store.sinks.taken(self._id)

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()

    async def _send(self, batch: Batch) -> None:
        for record in batch.records:
            body = event_of(record)
            if body is not None:
                await self._request(record, body)
            if body is not None or record is batch.records[-1]:
                # After each: what is sent again after a failure is one event at most.
                await self._store.sinks.mark_taken(self._id, record.seq)

    async def _request(self, record: Record, body: bytes) -> None:
        if self._client is None:
            self._client = aiohttp.ClientSession(timeout=_TIMEOUT)
        headers = signed_headers(record, body, self._secrets, self._clock())
        try:
            async with self._client.post(
                self._url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SinkError(f"it is not reached ({type(error).__name__})") from None
        if not 200 <= status < 300:  # noqa: PLR2004 (the class of success)
            raise SinkError(f"it answered {status}")
