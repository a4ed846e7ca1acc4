"""Evidence before a stop: asked for, recorded and told, and never in the way of the stop."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from bot.errors import ApiError, NeverSentError, StoreError
from bot.model.commands import Command
from bot.model.operations import Evidence, Operation, State
from bot.operations import evidence
from bot.storage.store import Store
from handlers.messages import endings
from tests.conftest import House, built, opened
from tests.support.fakes import FakeCloud
from tests.support.waiting import until

POLICY = """
defaults:
  live: {DomainName: push.example.com, Region: ap-guangzhou}
evidence:
  - {actions: ["Forbid*"], where: {StreamName: "rec-*"}, take: recording}
  - {actions: ["Forbid*"], take: snapshot, template: 1234}
roles:
  oncall:
    members: {users: [U0ALICE]}
    allow:
      - actions: ["*"]
"""
TASKS = ("CreateScreenshotTask", "CreateRecordTask")


class Cloud(FakeCloud):
    """Names a task for each evidence, or hangs or fails on it."""

    hangs = False
    error: Exception | None = None

    async def call(self, command: Command, *given: Any) -> Any:
        if command.action.api in TASKS:
            self.sent.append(command)
            self.called.set()
            if self.hangs:
                await asyncio.Event().wait()
            if self.error is not None:
                raise self.error
            answer = await FakeCloud().call(command)
            return replace(answer, body={"TaskId": "task-7"})
        return await super().call(command, *given)


@pytest.fixture
async def house(quick_store: Store) -> AsyncIterator[House]:
    async with built(quick_store, policy=POLICY, cloud=Cloud()) as one:
        yield one


def sent(house: House) -> list[str]:
    return [one.action.api for one in house.cloud.sent if "Describe" not in one.action.api]


def recorded(house: House, operation: Operation) -> list[dict[str, Any]]:
    with house.store.audit_log.records(operation=operation.id) as records:
        found = [(one.kind, one.facts) for one in records]
    kinds = [kind for kind, _ in found]
    if "evidence" in kinds:
        assert kinds.index("evidence") < kinds.index("sending")
    return [facts for kind, facts in found if kind == "evidence"]


def told(operation: Operation) -> str:
    return endings.ending(operation, None).text


async def test_snapshot_is_asked_for_before_the_ban(house: House) -> None:
    """The snapshot leaves first, is on the trail before the ban is, and is named in the thread."""
    banned = await house.run("ban stream1")

    assert sent(house) == ["CreateScreenshotTask", "ForbidLiveStream"]
    task = house.cloud.sent[0]
    assert {name: task.params[name] for name in ("StreamName", "DomainName", "TemplateId")} == {
        "StreamName": "stream1",
        "DomainName": "push.example.com",
        "TemplateId": 1234,
    }
    assert task.region == "ap-guangzhou"
    (facts,) = recorded(house, banned)
    assert (facts["take"], facts["task"]) == ("snapshot", "task-7")
    assert facts["request_id"]
    assert banned.state is State.ACCEPTED
    assert banned.preview.evidence == Evidence("snapshot", "task-7")
    assert "Snapshot requested first: task `task-7`" in told(banned)


async def test_first_entry_that_matches_counts(house: House) -> None:
    """By its name, a stream is recorded in place of a snapshot; a drop has no evidence."""
    await house.run("ban rec-1")
    dropped = await house.run("live stream1")

    assert sent(house) == ["CreateRecordTask", "ForbidLiveStream", "DropLiveStream"]
    assert dropped.preview.evidence is None
    assert "napshot" not in told(dropped)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ApiError("LimitExceeded.MaximumRunningTask", "3 run", request_id="r1"), "MaximumRunning"),
        (NeverSentError("no route to <!channel>"), "no route"),
    ],
)
async def test_failed_evidence_never_stops_the_stop(
    house: House, error: Exception, says: str
) -> None:
    """Whatever becomes of the snapshot, the ban leaves once, and the thread says it in a line."""
    assert isinstance(house.cloud, Cloud)
    house.cloud.error = error
    banned = await house.run("ban stream1")

    assert banned.state is State.ACCEPTED
    assert sent(house) == ["CreateScreenshotTask", "ForbidLiveStream"]
    (facts,) = recorded(house, banned)
    assert says in facts["problem"]
    (line,) = [one for one in told(banned).splitlines() if "napshot" in one]
    assert line.startswith("No snapshot was taken: ")
    assert "<!channel>" not in line


async def test_hanging_cloud_delays_the_ban_by_its_limit_alone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cloud that never answers is given up after the limit, and the ban leaves."""
    assert isinstance(house.cloud, Cloud)
    monkeypatch.setattr(evidence, "WITHIN", 0.05)
    house.cloud.hangs = True
    banned = await house.run("ban stream1")

    assert banned.state is State.ACCEPTED
    assert sent(house).count("ForbidLiveStream") == 1
    assert "No snapshot was taken: no answer within 0.05 s." in told(banned)


async def test_store_that_fails_on_evidence_never_stops_the_stop(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its record can't be written, the ban goes on all the same."""

    async def fails(*_: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(house.store.audit_log, "record", fails)
    banned = await house.run("ban stream1")

    assert banned.state is State.ACCEPTED
    assert "No snapshot was taken: the disk is full." in told(banned)


async def test_retry_of_a_ban_asks_for_no_second_snapshot(house: House) -> None:
    """A ban that is sent again has its evidence already."""
    house.cloud.faults += [NeverSentError("no route")]
    banned = await house.run("ban stream1")

    assert banned.state is State.ACCEPTED
    assert sent(house).count("CreateScreenshotTask") == 1
    assert sent(house).count("ForbidLiveStream") == 2


async def test_missing_region_is_said(house: House) -> None:
    """Without a region for its task there is no evidence, and the ban goes on."""
    intl = POLICY.replace(", Region: ap-guangzhou", "") + "accounts:\n  main: {site: intl}\n"
    house.policy(intl)
    banned = await house.run("ban stream1")

    assert banned.state is State.ACCEPTED
    assert sent(house) == ["ForbidLiveStream"]
    assert "No snapshot was taken: no region is configured for it." in told(banned)


async def test_kill_between_snapshot_and_ban_leaves_one_ban(database_url: str) -> None:
    """A replica that dies on its evidence has sent no ban; the next one sends it, once."""
    first, second = Cloud(), Cloud()
    first.hangs = True
    async with (
        opened(database_url, "dies", lease=1.0) as store,
        built(store, policy=POLICY, cloud=first, abandon=True) as dying,
    ):
        await dying.ask("ban stream1")
        await asyncio.wait_for(first.called.wait(), 30)
    async with (
        opened(database_url, "lives", lease=1.0) as store,
        built(store, policy=POLICY, cloud=second) as house,
    ):

        async def ended() -> Operation | None:
            (found,) = await store.operations.recent(limit=1)
            return found if found.state is State.ACCEPTED else None

        banned = await until(ended)
        assert [one.action.api for one in first.sent if "Forbid" in one.action.api] == []
        assert sent(house) == ["CreateScreenshotTask", "ForbidLiveStream"]
        assert banned.attempts == 1
        assert banned.preview.evidence == Evidence("snapshot", "task-7")
