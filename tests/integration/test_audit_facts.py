"""What the trail tells: every fact, once, with who, where, when, which rule and what came of it."""

from collections import Counter
from typing import Any

from bot.audit.hash_chain import Record
from bot.errors import ApiError
from bot.model.messages import MessageKind, Undeliverable
from bot.model.operations import Choice, State
from bot.operations.results import Accepted
from bot.storage.store import Store
from tests.conftest import House, built
from tests.support.fakes import ALICE, BOB, MALLORY, FakeCloud, FakeNotifier
from tests.support.waiting import until

POLICY = """
defaults:
  live: {DomainName: push.example.com}
roles:
  oncall:
    members: {users: [U0ALICE]}
    allow:
      - {actions: [DropLiveStream]}
      - {actions: [ForbidLiveStream], approval: second-person, approvers: [leads]}
  leads:
    members: {users: [U0BOB]}
    allow: [{actions: ["*"]}]
"""


def told(store: Store, operation: str = "") -> list[Record]:
    with store.audit_log.records(operation=operation) as records:
        return list(records)


def facts(records: list[Record], kind: str) -> dict[str, Any]:
    (found,) = (record.facts for record in records if record.kind == kind)
    return found


async def test_audit_log_records_each_fact_of_an_operation_once(quick_store: Store) -> None:
    """Each step of an operation is recorded once, with user, place, rule and result."""
    quick_store.session.workspace = "https://example.slack.com/"
    async with built(quick_store, policy=POLICY) as house:
        operation = await house.run("live stream1", thread_ts="7.5")
    records = told(quick_store, operation.id)
    deliveries = [r.facts for r in records if r.kind == "delivered"]

    assert Counter(r.kind for r in records) == {
        "asked": 1,
        "allowed": 1,
        "sending": 1,
        "ended": 1,
        "delivered": 3,
    }
    for kind in ("asked", "sending", "ended"):
        found = facts(records, kind)
        assert (found["team"], found["user"]) == (ALICE.team, ALICE.user)
        assert (found["channel"], found["thread_ts"]) == ("C0INC", "7.5")
        assert found["account"] == "default"
    sent = facts(records, "sending")
    assert sent["rule"] == "roles.oncall.allow[0]"
    assert sent["params"] == {
        "StreamName": "stream1",
        "DomainName": "push.example.com",
        "AppName": "live",
    }
    ended = facts(records, "ended")
    assert (ended["request_id"], ended["took"], ended["state"]) == ("request-1", 0.01, "accepted")
    assert sorted(one["owed"] for one in deliveries) == ["audit", "card", "ending"]
    assert all(
        one["permalink"].startswith("https://example.slack.com/archives/C0INC/p")
        for one in deliveries
    )


async def test_audit_log_records_a_retried_error(quick_store: Store) -> None:
    """An API error that is retried is recorded with its code and RequestId."""
    busy = ApiError("RequestLimitExceeded", "slowly", request_id="r-busy")
    async with built(quick_store, cloud=FakeCloud(faults=[busy])) as house:
        operation = await house.run("live stream1")

    detail = facts(told(quick_store, operation.id), "not run")["detail"]
    assert "RequestLimitExceeded" in detail
    assert "r-busy" in detail


async def test_audit_log_records_denials_and_invalid_commands(quick_store: Store) -> None:
    """Denied operations and invalid commands are recorded with their user."""
    async with built(quick_store, policy=POLICY) as house:
        denied = await house.run("live stream1", MALLORY)
        await house.ask("lvie stream1")

    found = facts(told(quick_store, denied.id), "denied")
    assert (found["user"], found["check"]) == (MALLORY.user, "some_rule_allows")
    assert facts(told(quick_store), "invalid")["user"] == ALICE.user


async def asked(house: House) -> str:
    reply: Any = await house.ask("ban stream1")
    return str((await house.engine.ending(reply.operation.id)).id)


async def test_audit_log_records_decisions_and_refused_presses(quick_store: Store) -> None:
    """An approval and a press by someone who may not approve are both recorded."""
    async with built(quick_store, policy=POLICY) as house:
        id_ = await asked(house)
        await house.decide(id_, Choice.APPROVE, MALLORY)
        await house.decide(id_, Choice.APPROVE, BOB)
        assert (await house.ended(id_)).state is State.ACCEPTED
    records = told(quick_store, id_)

    refused, decided = facts(records, "refused"), facts(records, "decided")
    assert (refused["by"], refused["decision"]) == (MALLORY.user, "approve")
    assert "leads" in refused["detail"]
    assert (decided["by"], decided["decision"]) == (BOB.user, "approve")


# --- the audit channel ---------------------------------------------------------------------


class Closed(FakeNotifier):
    """The audit channel takes nothing until it is opened."""

    closed = True
    refused = 0

    async def deliver(self, delivery: Any) -> Any:
        if delivery.kind is MessageKind.AUDIT and self.closed:
            self.refused += 1
            return Undeliverable("the channel is archived", closed=True)
        return await super().deliver(delivery)


async def test_audit_channel_outage_blocks_nothing_and_catches_up(quick_store: Store) -> None:
    """A closed audit channel blocks no operation and gets its lines in order once open."""
    desk = Closed()
    async with built(quick_store, policy=POLICY, desk=desk, channel_patience=0.2) as house:
        asked = []
        for stream in ("stream1", "stream2"):
            reply = await house.ask(f"live {stream}")
            assert isinstance(reply, Accepted)
            ended = await house.engine.ending(reply.operation.id)
            assert ended.state is State.ACCEPTED
            asked.append(ended.id)
        await until(lambda: desk.refused > 1)
        assert desk.said(MessageKind.AUDIT) == []
        assert len(house.cloud.sent) == 2
        desk.closed = False
        await house.courier.drain()

    assert [one.operation.id for one in desk.said(MessageKind.AUDIT)] == asked
    assert "undeliverable" not in [record.kind for record in told(quick_store)]
