"""Two processes on one PostgreSQL: whatever one of them leaves, the other takes over."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.cli.demo import AUDIT, INCIDENTS
from bot.sandbox.slack.entities import Message
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.authentication import Key
from bot.sandbox.tencent.faults import Deaf
from bot.sandbox.tencent.server import CloudEmulator
from bot.storage import database
from handlers.manifest import bot_scopes
from tests.support.processes import Process
from tests.support.waiting import BOUND, until

POLICY = """
roles:
  oncall:
    members: {users: [U0ALICE]}
    allow:
      - {actions: [ForbidLiveDomain], approval: second-person, approvers: [leads]}
      - {actions: [StartPublishStream]}
  leads: {members: {users: [U0BOB, U0CAROL, U0DAVE]}, allow: [{actions: ["*"]}]}
"""


class Pair:
    """Two replicas, started at the same moment on an empty database."""

    def __init__(self, url: str, slack: Workspace, cloud: CloudEmulator) -> None:
        self.slack = slack
        self.cloud = cloud
        self.replicas: list[asyncio.subprocess.Process] = []
        self.engine = database.connect(url)

    def owner(self) -> int:
        """Give the pid of whoever holds an operation."""
        with self.engine.connect() as connection:
            query = "SELECT owner FROM operations WHERE owner <> ''"
            found = connection.execute(sa.text(query)).scalars().all()
        return int(found[0].split(":")[1]) if found else 0


@pytest.fixture
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    url = request.getfixturevalue("empty_postgres_url")
    slack = Workspace(scopes=bot_scopes(), limits=False)
    cloud = CloudEmulator(keys={"AKIDDEMODEMO": Key("demo")})
    cloud.resources.put("session", "user1")
    cloud.resources.put("domain", "push.example.com")
    for id_, name in zip(("U0ALICE", "U0BOB", "U0CAROL", "U0DAVE"), "abcd", strict=True):
        slack.user(id_, name)
    for channel in (INCIDENTS, AUDIT):
        slack.channel(channel, channel.lower(), *slack.users)
    (tmp_path / "policy.yml").write_text(POLICY)
    async with cloud, slack:
        program = Process(tmp_path, slack, cloud)
        two = Pair(url, slack, cloud)
        here = {"STOPSTREAM_DATABASE_URL": url}
        starts = [program.start("serve", env=here) for _ in range(2)]
        two.replicas = list(await asyncio.gather(*starts))
        await until(lambda: slack.delivery.sockets == 4)
        yield two
        for replica in two.replicas:
            if replica.returncode is None:
                replica.send_signal(signal.SIGKILL)
            await replica.communicate()
        two.engine.dispose()


async def test_replica_takes_over_work_of_dead_replica(pair: Pair) -> None:
    """A killed replica's operation is reported as unknown by the other."""
    pair.cloud.faults.add(Deaf)
    await pair.slack.person("U0ALICE").slash("/startstream", "car user1")
    await until(pair.cloud.ran)
    os.kill(pair.owner(), signal.SIGKILL)

    channel = pair.slack.channels[INCIDENTS]
    said = await pair.slack.wait_for(
        lambda: [m for m in channel.messages if m.thread_ts and "nknown" in m.text]
    )

    assert "may have run" in said[0].text
    assert len(pair.cloud.ran("StartPublishStream")) == 1


async def test_replicas_send_one_call_for_a_hundred_approvals(pair: Pair) -> None:
    """A hundred approvals on two processes send one call, and the others learn who decided."""
    slack, channel = pair.slack, pair.slack.channels[INCIDENTS]
    await slack.person("U0ALICE").slash("/stopstream", "domain push.example.com")
    cards: list[Message] = await slack.wait_for(
        lambda: [m for m in channel.roots if "Approve" in m.buttons()]
    )
    people = ["U0BOB", "U0CAROL", "U0DAVE", "U0ALICE"]
    presses = [slack.person(people[n % 4]).press_payload("Approve", cards[0]) for n in range(100)]
    acks = await asyncio.gather(*(slack.delivery.deliver("interaction", one) for one in presses))
    await slack.wait_for(lambda: channel.thread(cards[0].ts))

    assert not [ack for ack in acks if ack.error]
    assert len(pair.cloud.ran("ForbidLiveDomain")) == 1
    first = next(user for user in people if f"<@{user}>" in cards[0].text and user != "U0ALICE")
    others = [user for user in people[:3] if user != first]

    def told(user: str) -> list[Message]:
        return [m for m in slack.ephemerals(user) if f"<@{first}>" in m.text]

    for user in others:
        await slack.wait_for(lambda user=user: told(user))  # type: ignore[misc]
    await slack.wait_for(
        lambda: [
            m for m in slack.ephemerals("U0ALICE") if "somebody else" in m.text or first in m.text
        ]
    )
    assert not {"Approve", "Deny", "Cancel"} & set(cards[0].buttons())


async def test_replica_hands_over_work_on_sigterm(pair: Pair) -> None:
    """A replica exits after SIGTERM, and its operation is still reported."""
    pair.cloud.faults.add(Deaf)
    await pair.slack.person("U0ALICE").slash("/startstream", "car user1")
    await until(pair.cloud.ran)
    holder = next(one for one in pair.replicas if one.pid == pair.owner())
    holder.send_signal(signal.SIGTERM)
    await asyncio.wait_for(holder.wait(), BOUND)

    channel = pair.slack.channels[INCIDENTS]
    await pair.slack.wait_for(
        lambda: [m for m in channel.messages if m.thread_ts and "nknown" in m.text]
    )
    assert len(pair.cloud.ran("StartPublishStream")) == 1
