"""Copies the trail to an HTTP address: a log collector, or an object store that locks objects."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import aiohttp

from bot.audit.copies import format_line
from bot.audit.hash_chain import Record
from bot.errors import SinkError
from bot.storage.sinks import Batch
from bot.storage.store import Store

_BATCH = 200
"""How many records are sent in one request."""

_OBJECTS = 20
"""How many objects are sent before it is noted how far that has come."""

_TIMEOUT = aiohttp.ClientTimeout(total=25.0, connect=10.0)

_SEND_WITHIN = 50.0
"""Seconds for all requests of a batch; shorter than the lease of a sink (`bot.storage.sinks`)."""

_EXISTS = 412
"""What an object store answers to `If-None-Match: *` where there is an object of that name."""

SEQ = "{seq}"
"""Stands in an address for the number of a record, twelve digits: each becomes an object."""


class HttpSink:
    """Sends what an address does not have yet, and the same again until it is taken.

    A request whose answer is lost may have been taken: `Idempotency-Key` and
    `Stopstream-Sequence` tell the receiver that it has the records already.

    Args:
        url: With SEQ in it each record is PUT to an address of its own, if nothing is there;
            else records are POSTed together, as lines of JSON.
        token: For the header `Authorization`; may be empty.
    """

    def __init__(self, store: Store, url: str, token: str = "") -> None:
        parts = urlsplit(url)
        # Without what may be a secret: name and password, the query, and often the path.
        self.name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._id = hashlib.sha256(url.encode()).hexdigest()[:16]
        self._store = store
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client: aiohttp.ClientSession | None = None

    async def advance(self) -> int:
        """Send the next records; return how many are still to be sent.

        Raises:
            SinkError: They are not taken, or nobody knows.
            StoreError: They cannot be read.
        """
        sinks = self._store.sinks
        if behind := await sinks.behind(self._id):
            batch = await sinks.claim(self._id, _OBJECTS if SEQ in self._url else _BATCH)
            if batch is None:
                return behind
            try:
                async with asyncio.timeout(_SEND_WITHIN):
                    await self._send(batch)
            except TimeoutError:
                raise SinkError(f"a batch takes longer than {_SEND_WITHIN:.0f} s") from None
            last = batch.records[-1].seq
            await sinks.mark_taken(self._id, last)
            return batch.last - last
        return 0

    async def behind(self) -> int:
        """Return how many records were not taken yet.

        Raises:
            StoreError: The database does not answer.
        """
        return await self._store.sinks.behind(self._id)

    async def taken(self) -> int:
        """Return the number of the last record that was taken.

        Raises:
            StoreError: The database does not answer.
        """
        return await self._store.sinks.taken(self._id) or 0

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()

    async def _send(self, batch: Batch) -> None:
        if SEQ not in self._url:
            await self._request("POST", self._url, batch.records, _kind("x-ndjson"))
            return
        for record in batch.records:
            # Nothing that is there is ever replaced.
            headers = _kind("json") | {"If-None-Match": "*"}
            url = self._url.replace(SEQ, f"{record.seq:012}")
            await self._request("PUT", url, [record], headers)

    async def _request(
        self, method: str, url: str, records: Sequence[Record], headers: Mapping[str, str]
    ) -> None:
        if self._client is None:
            self._client = aiohttp.ClientSession(timeout=_TIMEOUT)
        first, last = records[0], records[-1]
        known = {
            "Idempotency-Key": f"{first.seq}-{last.seq}-{last.hash}",
            "Stopstream-Sequence": f"{first.seq}-{last.seq}",
        }
        body = "".join(map(format_line, records)).encode("ascii")
        try:
            async with self._client.request(
                method,
                url,
                data=body,
                headers={**self._headers, **headers, **known},
                allow_redirects=False,
            ) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SinkError(f"it is not reached ({type(error).__name__})") from None
        exists = method == "PUT" and status == _EXISTS
        if not (exists or 200 <= status < 300):  # noqa: PLR2004 (the class of success)
            raise SinkError(f"it answered {status}")


def _kind(subtype: str) -> dict[str, str]:
    return {"Content-Type": f"application/{subtype}"}
