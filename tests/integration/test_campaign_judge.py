"""What the campaign holds against a bot, and what not."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bot.audit.hash_chain import Fact
from bot.model.operations import State
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.server import CloudEmulator
from bot.storage.message_integrity import DELIVERED
from bot.storage.store import Store
from bot.storage.transition import Changes, Transition
from bot.storage.writer import Transaction
from tests.chaos.judge import Judge
from tests.chaos.people import People
from tests.chaos.tally import Tally
from tests.chaos.workspace import CHANNELS
from tests.conftest import opened
from tests.support.stored_operations import FACTS, operation
from tests.support.waiting import until

WHY = "Slack did not say who you are. Nothing was sent; try again in a moment."


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'campaign.db'}"


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    async with opened(url) as found:
        yield found


@pytest.fixture
def slack() -> Workspace:
    workspace = Workspace(scopes=())
    workspace.user("U0ALICE", "alice")
    workspace.user("U0BOB", "bob")
    for channel in ("C0INC", "C0OTHER", "C0AUDIT"):
        workspace.channel(channel, channel.lower(), "U0ALICE", "U0BOB")
    return workspace


async def denied(store: Store, number: int, *path: State) -> None:
    """Let an operation end denied, after other states."""
    one = operation(number)
    assert await store.operations.add(one, FACTS)
    for before, after in zip((State.ASKED, *path), (*path, State.DENIED), strict=True):
        changes = Changes(detail=WHY) if after is State.DENIED else Changes()
        assert await store.operations.apply(Transition(one.id, (before, after), FACTS, changes))
    # As the relay records what it has posted.
    await store.session.writer.do(_record, Fact(DELIVERED, one.id, {"owed": "private"}))


def _record(tx: Transaction, facts: Sequence[Fact]) -> list[None]:
    tx.facts.extend(facts)
    return [None for _ in facts]


def post_audit_line(slack: Workspace, number: int) -> None:
    line = slack.say("C0AUDIT", slack.bot_user, "denied")
    line.metadata = {"event_payload": {"key": f"op{number}:audit:denied"}}


def say(slack: Workspace, channel: str, to: str) -> None:
    slack.say(channel, slack.bot_user, f"🚫 Denied: stop `stream1`. {WHY}", to=to)


async def judged(url: str, slack: Workspace, *names: str) -> Tally:
    tally, cloud = Tally(), CloudEmulator(keys={})
    people = People(slack, cloud, Random(1), 0.0)  # noqa: S311 (nobody asks here)
    people.acks = dict.fromkeys(names, True)
    judge = Judge(url, slack, cloud, people, tally, answered=True, true_clocks=True)
    await judge.count()
    return tally


class _Mentions(Random):
    def randrange(self, *_: object) -> int:
        return 3


class _Away:
    """A replica that is killed right after somebody has found it listening."""

    url = "http://127.0.0.1:1"

    async def serves(self) -> bool:
        return True


async def test_mention_is_not_counted_as_taken(slack: Workspace) -> None:
    """No answer to a mention says whether it was taken, so a bot that was away has lost none."""
    for channel in CHANNELS:
        slack.channel(channel, channel.lower(), "U0ALICE")
    people = People(slack, CloudEmulator(keys={}), _Mentions(1), 0.0)
    away: Any = [_Away()]
    async with slack:
        asking = asyncio.create_task(people.ask(away))
        await until(lambda: people.acks)
        asking.cancel()
        people.leave()

    assert set(people.acks.values()) == {False}


async def test_denial_that_is_told_in_private_needs_no_card(
    url: str, store: Store, slack: Workspace
) -> None:
    await denied(store, 1)
    post_audit_line(slack, 1)
    say(slack, "C0INC", "U0ALICE")

    assert (await judged(url, slack, "stream1")).unposted == []


async def test_denial_that_is_told_in_a_direct_message_needs_no_card(
    url: str, store: Store, slack: Workspace
) -> None:
    await denied(store, 1)
    post_audit_line(slack, 1)
    say(slack, slack.direct("U0ALICE").id, "")

    assert (await judged(url, slack, "stream1")).unposted == []


@pytest.mark.parametrize(
    ("channel", "to"), [("C0INC", ""), ("C0INC", "U0BOB"), ("C0OTHER", "U0ALICE")]
)
async def test_denial_must_be_told_to_the_asker_alone_where_they_asked(
    url: str, store: Store, slack: Workspace, channel: str, to: str
) -> None:
    await denied(store, 1)
    post_audit_line(slack, 1)
    say(slack, channel, to)

    assert (await judged(url, slack, "stream1")).unposted == [
        "stream1: nobody was told that it is denied"
    ]


async def test_one_private_message_tells_of_one_denial(
    url: str, store: Store, slack: Workspace
) -> None:
    for number in (1, 2):
        await denied(store, number)
        post_audit_line(slack, number)
    say(slack, "C0INC", "U0ALICE")

    found = (await judged(url, slack, "stream1")).unposted
    assert found == ["stream1: nobody was told that it is denied"]


async def test_denial_of_what_had_a_card_must_be_shown_there(
    url: str, store: Store, slack: Workspace
) -> None:
    await denied(store, 1, State.WAITING)
    post_audit_line(slack, 1)
    say(slack, "C0INC", "U0ALICE")

    assert (await judged(url, slack, "stream1")).unposted == [
        "stream1: no card of its being denied",
        "stream1: no ending of its being denied",
    ]
