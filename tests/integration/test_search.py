"""Searching what was asked: whatever way it goes, it finds what a look at every row finds."""

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest

from bot.model.commands import Via
from bot.model.lifecycle import ENDINGS
from bot.model.operations import Operation, Search, State
from bot.model.people import Actor, Place
from bot.storage.store import Store
from bot.storage.transition import Transition

STATES = (State.ACCEPTED, State.DENIED, State.INVALID, State.DUE)
APIS = ("DropLiveStream", "ForbidLiveStream", "StopPublishStream")
RUN = (State.ASKED, State.DUE, State.RUNNING)


def operation(number: int) -> Operation:
    state = STATES[number % 4]
    return Operation(
        id=f"op{number:03}",
        key=f"key{number}",
        state=State.INVALID if state is State.INVALID else State.ASKED,
        actor=Actor("T0HOME", f"U0{number % 3}"),
        place=Place(f"C0{number % 2}"),
        via=Via.COMMAND,
        text="",
        asked_at=0.0,
        api=APIS[number % 5 % 3],
        target=("a%", "a%b", "b_", "ä", "")[number % 5],
    )


async def fill(store: Store, count: int = 60) -> list[Operation]:
    for number in range(count):
        one = operation(number)
        await store.operations.add(one, {})
        match STATES[number % 4]:
            case State.ACCEPTED:
                await store.operations.apply(Transition(one.id, RUN, {}))
                await store.operations.apply(
                    Transition(one.id, (State.RUNNING, State.ACCEPTED), {})
                )
            case State.DENIED:
                await store.operations.apply(Transition(one.id, (State.ASKED, State.DENIED), {}))
            case State.DUE:
                await store.operations.apply(Transition(one.id, (State.ASKED, State.DUE), {}))
            case _:
                pass
    return await store.operations.recent(limit=1000)


def is_as(wanted: Search, one: Operation) -> bool:
    whispered = one.state in (State.DENIED, State.INVALID)
    seen = one.place.channel == wanted.channel and not whispered
    return (
        one.asked_at >= wanted.since
        and wanted.user in ("", one.actor.user)
        and (not wanted.apis or one.api in wanted.apis)
        and (not wanted.target or _meets(wanted.target, one.target))
        and wanted.state in (None, one.state)
        and (not wanted.reader or one.actor.user == wanted.reader or seen)
    )


def _meets(pattern: str, target: str) -> bool:
    prefix = pattern.removesuffix("*")
    return target.startswith(prefix) if prefix != pattern else target == pattern


def searches(since: float) -> Iterator[Search]:
    for user, apis, target, state, reader in itertools.product(
        ("", "U01", "U09"),
        ((), APIS[:1], APIS[:2]),
        ("", "a%", "a%*", "b*", "ä"),
        (None, State.ACCEPTED, State.INVALID, State.DUE),
        ("", "U02"),
    ):
        yield Search(since, user, apis, target, state, None, reader, "C01" if reader else "")


async def test_search_matches_a_full_scan(store: Store) -> None:
    """A search with any filters finds the same operations as a full scan, newest first."""
    rows = await fill(store)
    for wanted in searches(rows[40].asked_at):
        expected = [one for one in rows if is_as(wanted, one)]

        found = await store.operations.search(wanted, 100)

        assert {one.id for one in found} == {one.id for one in expected}, wanted
        assert [one.asked_at for one in found] == sorted(
            (one.asked_at for one in found), reverse=True
        )


@pytest.mark.parametrize(
    "wanted", [Search(), Search(reader="U02", channel="C01"), Search(0, "U01")]
)
async def test_search_pages_show_every_operation_once(store: Store, wanted: Search) -> None:
    """Consecutive search pages show every matching operation once, in order."""
    await fill(store)
    everything = [one.id for one in await store.operations.search(wanted, 1000)]
    shown: list[str] = []
    while page := await store.operations.search(wanted, 7):
        shown += [one.id for one in page]
        wanted = replace(wanted, before=(page[-1].asked_at, page[-1].id))

    assert shown == everything
    assert len(set(shown)) == len(shown) > 7


async def test_search_rows_have_an_end_time_in_a_final_state(store: Store) -> None:
    """An operation has an end time exactly if it is in a final state."""
    for one in await fill(store, 8):
        assert (one.ended_at is not None) == (one.state in ENDINGS)
