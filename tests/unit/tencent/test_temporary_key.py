"""A temporary key is renewed early, once for all who ask, and replaced where it was refused."""

import asyncio

import pytest

from bot.errors import NeverSentError
from bot.tencent.credentials import Credentials
from bot.tencent.temporary_key import EARLY, RenewedKey, TemporaryKey
from tests.support.waiting import until


class Giver:
    """Gives keys that live 1,000 seconds, by a clock that a test moves; `gate` holds them back."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls = 0
        self.up = True
        self.gate = asyncio.Event()
        self.gate.set()
        self.source = RenewedKey(self._give, origin="a role", clock=lambda: self.now)

    async def _give(self) -> TemporaryKey:
        self.calls += 1
        await self.gate.wait()
        if not self.up:
            raise NeverSentError("no answer")
        return TemporaryKey(Credentials(f"AKID{self.calls}", "k", "t"), self.now + 1_000)

    async def id_now(self) -> str:
        return (await self.source.get()).secret_id


async def test_key_is_asked_for_once_by_many() -> None:
    """Ten who need a key at the same time get the same one, which was asked for once."""
    giver = Giver()

    assert await giver.id_now() == "AKID1"
    giver.now = 2_000.0
    found = await asyncio.gather(*(giver.source.get() for _ in range(10)))

    assert {key.secret_id for key in found} == {"AKID2"}
    assert giver.calls == 2
    assert giver.source.until == 3_000.0


async def test_key_is_renewed_beside_what_is_sent() -> None:
    """Before its end a key is still given at once, while another one is fetched."""
    giver = Giver()
    await giver.id_now()
    giver.now = 1_000.0 - EARLY
    giver.gate.clear()

    assert await giver.id_now() == "AKID1"
    await until(lambda: giver.calls == 2)
    assert await giver.id_now() == "AKID1"
    giver.gate.set()

    await until(lambda: giver.source.until == giver.now + 1_000)
    assert await giver.id_now() == "AKID2"
    assert giver.calls == 2


async def test_failed_renewal_keeps_the_valid_key_and_pauses() -> None:
    """A key is used until its end where it cannot be renewed, and not asked for at each use."""
    giver = Giver()
    await giver.id_now()
    giver.up, giver.now = False, 900.0

    for _ in range(5):
        assert await giver.id_now() == "AKID1"
        await asyncio.sleep(0)
    assert giver.calls == 2
    giver.now = 911.0
    assert await giver.id_now() == "AKID1"
    await until(lambda: giver.calls == 3)

    giver.now = 1_000.0
    with pytest.raises(NeverSentError, match="no answer"):
        await giver.id_now()
    giver.up = True
    assert await giver.id_now() == "AKID5"


async def test_who_gives_up_waiting_breaks_no_renewal_off() -> None:
    """One who stops waiting for a key leaves the others theirs."""
    giver = Giver()
    giver.gate.clear()
    impatient = asyncio.create_task(giver.id_now())
    patient = asyncio.create_task(giver.id_now())
    await until(lambda: giver.calls == 1)

    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    giver.gate.set()

    assert await patient == "AKID1"
    assert giver.calls == 1


async def test_refused_key_is_replaced_once_for_all() -> None:
    """All whose key was refused get the one other key, and a refused new one is the last."""
    giver = Giver()
    refused = await giver.source.get()
    giver.now = 100.0

    others = await asyncio.gather(*(giver.source.replace(refused) for _ in range(10)))

    assert {key.secret_id for key in others if key} == {"AKID2"}
    assert None not in others
    assert giver.calls == 2
    assert await giver.id_now() == "AKID2"
    assert await giver.source.replace(await giver.source.get()) is None, "it is new"
    assert giver.calls == 2


async def test_refused_key_that_cannot_be_renewed_is_tried_again() -> None:
    """While no other key is given, that is an error to retry, and not the last word."""
    giver = Giver()
    refused = await giver.source.get()
    giver.up, giver.now = False, 100.0

    for _ in range(2):
        with pytest.raises(NeverSentError, match="no answer"):
            await giver.source.replace(refused)
    giver.up = True

    other = await giver.source.replace(refused)
    assert other is not None
    assert other.secret_id == "AKID4"
