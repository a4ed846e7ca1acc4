"""Many refused asks of one person cost others nothing, and each is on the trail."""

from collections import Counter
from pathlib import Path

from bot.model.messages import MessageKind
from bot.model.operations import Operation, State
from bot.model.people import Actor
from bot.operations.results import Accepted
from bot.storage.floods import REFUSALS, WITHIN
from bot.storage.store import Store
from tests.conftest import Clock, House, built, opened
from tests.support.fakes import BOB, MALLORY, TEAM

MANY = 60
DROPS = """
defaults:
  live: {DomainName: push.example.com}
roles:
  drops:
    members: {users: [U0BOB]}
    allow: [{actions: [DropLiveStream]}]
"""


async def flood(house: House, actor: Actor = MALLORY, count: int = MANY, begin: str = "s") -> None:
    replies = [await house.ask(f"live {begin}{number}", actor) for number in range(count)]
    for reply in replies:
        assert isinstance(reply, Accepted)
        await house.engine.ending(reply.operation.id)
    await house.courier.drain()


def told(house: House, kind: MessageKind, user: str) -> list[Operation]:
    said = (one.operation for one in house.desk.said(kind))
    return [one for one in said if one.actor.user == user]


async def test_refusals_of_a_flood_share_one_line(quick_store: Store) -> None:
    """Of 60 refusals 10 have a line each, one line tells of the others, and all are recorded."""
    async with built(quick_store) as house:
        await flood(house)
        kinds = Counter(await house.kinds())
        lines = [line for line in house.desk.announced if MALLORY.user in line]
        words = [word.text for word in house.desk.words]
        stored = await house.store.operations.recent(user=MALLORY.user, limit=200)

    assert len(told(house, MessageKind.AUDIT, MALLORY.user)) == REFUSALS
    assert len(told(house, MessageKind.PRIVATE, MALLORY.user)) == REFUSALS
    assert len(lines) == 1
    assert len(words) == 1
    assert "what is allowed goes ahead" in words[0]
    assert kinds["denied"] == MANY
    assert {one.state for one in stored} == {State.DENIED}


async def test_flood_of_one_hides_nothing_of_others(quick_store: Store) -> None:
    """What others ask, and what the same person may do, is told as always."""
    async with built(quick_store) as house:
        await flood(house)
        allowed = await house.run("live stream1", BOB)
        other = await house.run("live stream2", Actor(TEAM, "U0EVE"))

    assert allowed.state is not State.DENIED
    assert other.state is State.DENIED
    assert len(told(house, MessageKind.AUDIT, "U0EVE")) == 1


async def test_refusals_apart_are_told_each(quick_store: Store) -> None:
    """As many refusals as are told one by one have no line that they share."""
    async with built(quick_store) as house:
        await flood(house, count=REFUSALS)

    assert len(told(house, MessageKind.AUDIT, MALLORY.user)) == REFUSALS
    assert house.desk.words == []


async def test_flood_is_over_after_a_minute(tmp_path: Path) -> None:
    """What is refused a minute later is told by itself again."""
    clock = Clock()
    async with (
        opened(f"sqlite:///{tmp_path / 'timed.db'}", clock=clock) as store,
        built(store, clock=clock) as house,
    ):
        await flood(house, count=REFUSALS)
        clock.ahead = WITHIN + 1
        await flood(house, count=1, begin="later")

    assert len(told(house, MessageKind.AUDIT, MALLORY.user)) == REFUSALS + 1
    assert house.desk.words == []


async def test_flood_is_of_refusals_of_one_person(quick_store: Store) -> None:
    """Neither what they were allowed nor who has the same id elsewhere uses up their budget."""
    stranger = Actor("T0OTHER", BOB.user)
    async with built(quick_store, policy=DROPS) as house:
        await flood(house, stranger, REFUSALS + 1, begin="elsewhere")
        for number in range(REFUSALS + 1):
            assert (await house.run(f"live s{number}", BOB)).state is State.ACCEPTED
        refused = await house.run("ban s1 for=1h", BOB)
        await house.courier.drain()

    assert refused.state is State.DENIED
    assert refused.id in [one.id for one in told(house, MessageKind.AUDIT, BOB.user)]
    assert refused.id in [one.id for one in told(house, MessageKind.PRIVATE, BOB.user)]
