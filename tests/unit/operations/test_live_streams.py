"""What is live on an account is read once, shared, kept for a while, and never waited for long."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from bot.model.actions import Params
from bot.model.commands import Command
from bot.model.live_notices import KeptList, StreamKey
from bot.operations.account_domains import AccountDomains
from bot.operations.live_streams import FRESH, STALE, LiveStreams, fitting
from bot.operations.results import LiveStream
from bot.operations.state_reader import StateReader
from bot.storage.pushes import Pushes


@dataclass
class Tencent:
    """An account's domains, what is live on each, and how it answers."""

    live: dict[str, int] = field(default_factory=lambda: {"a.example.com": 2})
    domains: bool = True
    down: bool = False
    gate: asyncio.Event | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[Params] = field(default_factory=list)
    kept: KeptList = field(default_factory=lambda: KeptList({}))
    corrected: list[set[StreamKey]] = field(default_factory=list)

    async def kept_list(self, _account: str) -> KeptList:
        return self.kept

    async def correct(self, _account: str, listed: set[StreamKey], _took: float) -> None:
        self.corrected.append(listed)

    async def push_domains(self, _account: str) -> frozenset[str]:
        return frozenset(self.live) if self.domains else frozenset()

    async def send(self, asked: Command) -> dict[str, Any] | None:
        self.asked.append(asked.params)
        self.reached.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.down:
            return None
        domain = str(asked.params.get("DomainName", next(iter(self.live))))
        page, size = int(str(asked.params["PageNum"])), int(str(asked.params["PageSize"]))
        numbers = range(self.live[domain])[(page - 1) * size : page * size]
        rows = [{"StreamName": f"s{n}", "DomainName": domain, "AppName": "live"} for n in numbers]
        return {"OnlineInfo": rows, "TotalPage": -(-self.live[domain] // size)}


@dataclass
class Room:
    tencent: Tencent
    now: float = 1000.0

    def __post_init__(self) -> None:
        self.live = LiveStreams(
            reader=cast("StateReader", self.tencent),
            domains=cast("AccountDomains", self.tencent),
            pushes=cast("Pushes", self.tencent),
            timer=lambda: self.now,
        )

    async def names(self) -> list[str]:
        return [one.stream for one in (await self.live.on("default")).streams]


async def test_live_streams_are_read_anew_after_a_few_seconds() -> None:
    """A list is the answer for a few seconds, and then what is live is read again."""
    room = Room(Tencent())
    assert await room.names() == ["s0", "s1"]
    room.tencent.live["a.example.com"] = 3
    room.now += FRESH - 1
    assert await room.names() == ["s0", "s1"]
    room.now += 2
    assert await room.names() == ["s0", "s1", "s2"]
    assert len(room.tencent.asked) == 2


async def test_live_streams_of_every_domain_and_page_are_read() -> None:
    """Each push domain is read, page by page; without a known domain, the only one."""
    room = Room(Tencent({"a.example.com": 250, "b.example.com": 1}))
    assert len(await room.names()) == 251
    assert len(room.tencent.asked) == 4

    alone = Room(Tencent(domains=False))
    assert await alone.names() == ["s0", "s1"]
    assert "DomainName" not in alone.tencent.asked[0]


async def test_live_streams_are_read_once_for_all_who_ask() -> None:
    """Those who ask while a list is being read wait for the same read."""
    gate = asyncio.Event()
    room = Room(Tencent(gate=gate))
    asking = [asyncio.create_task(room.names()) for _ in range(5)]
    await room.tencent.reached.wait()
    gate.set()

    assert await asyncio.gather(*asking) == [["s0", "s1"]] * 5
    assert len(room.tencent.asked) == 1


async def test_live_streams_that_take_too_long_are_those_known_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A list that is not there in time leaves the last one, which is no answer after a minute."""
    room = Room(Tencent())
    await room.names()
    monkeypatch.setattr("bot.operations.live_streams.WITHIN", 0.0)
    room.tencent.gate = gate = asyncio.Event()
    room.now += FRESH + 1
    assert await room.names() == ["s0", "s1"]
    room.now += STALE
    assert await room.names() == []
    gate.set()


async def test_live_streams_that_cannot_be_read_are_tried_again() -> None:
    """A failure is not remembered as an empty list."""
    room = Room(Tencent(down=True))
    assert await room.names() == []
    room.tencent.down = False
    assert await room.names() == ["s0", "s1"]


KEPT = {("s0", "a.example.com", "live"): 90.0, ("s7", "a.example.com", "live"): None}


async def test_list_that_callbacks_keep_is_not_read() -> None:
    """While callbacks are believed, what they keep is the answer, and it counts as fresh."""
    room = Room(Tencent(kept=KeptList(KEPT, is_believed=True)))
    assert await room.names() == ["s0", "s7"]
    assert room.tencent.asked == []
    assert (await room.live.on("default")).age == 0

    room.tencent.kept = KeptList({}, is_believed=True)
    room.live.expire("default")
    assert await room.names() == []
    assert room.tencent.asked == []


async def test_callbacks_that_are_not_believed_change_no_list() -> None:
    """Otherwise what is live is read, and what was read corrects what callbacks keep."""
    room = Room(Tencent(kept=KeptList(KEPT)))
    assert await room.names() == ["s0", "s1"]
    assert [{name for name, *_ in one} for one in room.tencent.corrected] == [{"s0", "s1"}]


@pytest.mark.parametrize(
    "tencent", [Tencent(domains=False), Tencent({"a.example.com": 501}), Tencent(down=True)]
)
async def test_list_that_may_not_be_whole_corrects_nothing(tencent: Tencent) -> None:
    """What was read of some pages or domains alone says nothing about the others."""
    await Room(tencent).names()
    assert tencent.corrected == []


async def test_age_of_what_is_known_is_told() -> None:
    """Where a read fails, the last one is told with its age; without one, callbacks alone are."""
    room = Room(Tencent(kept=KeptList(KEPT), down=True))
    alone = await room.live.on("default")
    assert (alone.age, [one.stream for one in alone.streams]) == (None, ["s0"])
    assert list(alone.told.values()) == [90.0]

    room.tencent.down = False
    await room.names()
    room.tencent.down = True
    room.now += FRESH + 20
    older = await room.live.on("default")
    assert (older.age, len(older.streams)) == (FRESH + 20, 2)


def test_fitting_streams_begin_with_what_was_typed_or_contain_it_or_are_similar() -> None:
    """The likeliest come first, whatever the case; without a text, all of them."""
    live = [LiveStream(name, "a.example.com", "live") for name in ("main-2", "stage-main", "hall")]

    def names(typed: str) -> list[str]:
        return [one.stream for one in fitting(typed, live)]

    assert names(" ") == ["main-2", "stage-main", "hall"]
    assert names("MAIN") == ["main-2", "stage-main"]
    assert names("halll") == ["hall"]
    assert names("a.example.com/live/h") == ["hall"]
    assert names("zzz") == []


async def test_list_that_may_have_changed_is_read_again() -> None:
    """A notice of a stream has the list read again, although it is fresh."""
    room = Room(Tencent())
    assert len(await room.names()) == 2
    room.tencent.live["a.example.com"] = 3
    assert len(await room.names()) == 2
    room.live.expire("another")
    assert len(await room.names()) == 2
    room.live.expire("default")
    assert len(await room.names()) == 3
