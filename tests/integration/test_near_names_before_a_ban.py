"""A ban of what is not live asks first where exactly one similar name is live."""

from dataclasses import replace
from typing import Any

import pytest

from bot.catalog.effects import keeps_off
from bot.catalog.registry import ALL_ACTIONS, action_of, live_list
from bot.model.actions import Action, Approval
from bot.model.commands import Invocation, Via
from bot.model.operations import Choice, Operation, State
from bot.model.people import Actor, Place
from bot.operations.follow_ups import FollowUp
from bot.operations.results import Accepted
from bot.storage.store import Store
from handlers.messages import cards
from tests.conftest import POLICY, House, built
from tests.support.dry_runs import dry_run
from tests.support.fakes import ALICE, BOB, FakeCloud

LIST = "DescribeLiveStreamOnlineList"


def online(*names: str, domain: str = "push.example.com") -> dict[str, Any]:
    rows: list[Any] = [{"StreamName": n, "DomainName": domain, "AppName": "live"} for n in names]
    return {"TotalNum": len(rows), "OnlineInfo": rows}


def cloud_with(*live: str, state: str | None = "inactive") -> FakeCloud:
    return FakeCloud(before_stop=state, bodies={LIST: online(*live)})


def labels(operation: Operation) -> list[str]:
    blocks = cards.card(operation, action_of(operation)).blocks
    return [one["text"]["text"] for b in blocks if b["type"] == "actions" for one in b["elements"]]


def shown(operation: Operation) -> str:
    return cards.card(operation, action_of(operation)).text


async def press(
    house: House, id_: str, actor: Actor = ALICE, follow: FollowUp = FollowUp.STOP_LIVE
) -> Operation:
    invocation = Invocation(f"press-{actor.user}", actor, Place("C0INC"), "", Via.BUTTON, None)
    reply = await house.service.follow(id_, follow, invocation)
    assert isinstance(reply, Accepted), reply
    return await house.ended(reply.operation.id)


@pytest.mark.parametrize(
    ("typed", "live"),
    [
        ("Stream1", "stream1"),
        ("cam7", "cam-7"),
        ("cam07", "cam7"),
        ("main-stage", "Main-Stage"),
        ("straem1", "stream1"),
        ("main", "main-stage"),
    ],
)
async def test_ban_of_a_near_name_asks_first(quick_store: Store, typed: str, live: str) -> None:
    """Nothing is sent; the card says what is live, with a button for each of the two names."""
    async with built(quick_store, cloud=cloud_with(live, "zebra")) as house:
        waiting = await house.run(f"ban {typed}")

    assert (waiting.state, waiting.approval) == (State.WAITING, Approval.CONFIRM)
    assert "ForbidLiveStream" not in [command.action.api for command in house.cloud.sent]
    assert f"Nothing is live as `{typed}`. Live now: `{live}`." in shown(waiting)
    assert labels(waiting) == [f"Ban {live}", f"Ban {typed} anyway", "Cancel", "Details"]


@pytest.mark.parametrize(
    ("text", "state", "live"),
    [
        ("ban cam7", "active", ("cam-7",)),
        ("ban cam7", "forbid", ("cam-7",)),
        ("ban cam7", "inactive", ()),
        ("ban cam7", "inactive", ("zebra",)),
        ("ban cam-1", "inactive", ("cam-2", "cam-10")),
        ("ban cam7", "inactive", ("cam-7", "CAM7")),
        # It is live on another domain, which a ban of its name reaches as well.
        ("ban cam7", "inactive", ("cam7", "cam-7")),
        ("live cam7", "inactive", ("cam-7",)),
        ("domain push.example.com", "inactive", ("cam-7",)),
    ],
)
async def test_other_stops_ask_nothing(
    quick_store: Store, text: str, state: str, live: tuple[str, ...]
) -> None:
    """What is live, banned, ambiguous or no ban at all goes on as the policy has it."""
    async with built(quick_store, cloud=cloud_with(*live, state=state)) as house:
        operation = await house.run(text)

    assert operation.preview.live_instead == ()
    assert operation.state is (State.WAITING if text.startswith("domain") else State.ACCEPTED)


async def test_ban_goes_on_if_nothing_can_be_read_in_time(
    quick_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an answer in time the ban is sent as it was asked."""
    monkeypatch.setattr("bot.operations.near_targets.WITHIN", 0.05)
    monkeypatch.setattr("bot.operations.prior_state.ANSWER_WITHIN", 0.05)
    async with built(quick_store, cloud=cloud_with("cam-7", state=None)) as house:
        operation = await house.run("ban cam7")

    assert operation.state is State.ACCEPTED
    assert operation.params["StreamName"] == "cam7"


async def test_ack_does_not_wait_for_the_question(quick_store: Store) -> None:
    """The ask is recorded and answered while what is live has not been read."""
    async with built(quick_store, cloud=cloud_with("cam-7", state=None)) as house:
        reply = await house.ask("ban cam7")
        assert isinstance(reply, Accepted)
        assert (await house.now(reply.operation.id)).state is State.ASKED


async def test_live_name_is_banned_in_place_of_the_typed_one(quick_store: Store) -> None:
    """The button bans what is live for as long as was asked; what was typed is cancelled."""
    async with built(quick_store, cloud=cloud_with("cam-7")) as house:
        waiting = await house.run("ban cam7 for=30m")
        house.cloud.before_stop = "active"
        banned = await press(house, waiting.id)
        typed = await house.ended(waiting.id)

    assert (banned.state, banned.params["StreamName"]) == (State.ACCEPTED, "cam-7")
    assert banned.origin.spans == waiting.origin.spans
    assert (typed.state, typed.decided_by) == (State.CANCELLED, ALICE.user)
    names = [c.params["StreamName"] for c in house.cloud.sent if c.action.api == "ForbidLiveStream"]
    assert names == ["cam-7"]


async def test_press_of_another_person_leaves_the_question_open(quick_store: Store) -> None:
    """Only the asker corrects their own ask; another person's press is an ask of their own."""
    policy = POLICY.replace("approval: confirm", "approval: none")
    async with built(quick_store, cloud=cloud_with("cam-7"), policy=policy) as house:
        waiting = await house.run("ban cam7")
        house.cloud.before_stop = "active"
        banned = await press(house, waiting.id, BOB)
        still = await house.now(waiting.id)

    assert (banned.actor, banned.params["StreamName"]) == (BOB, "cam-7")
    assert still.state is State.WAITING


async def test_typed_name_is_banned_anyway_when_confirmed(quick_store: Store) -> None:
    """The asker may mean what was typed: the policy is asked again and it is sent."""
    async with built(quick_store, cloud=cloud_with("cam-7")) as house:
        waiting = await house.run("ban cam7")
        assert (await house.decide(waiting.id, Choice.CONFIRM, BOB)).counts is False
        assert (await house.decide(waiting.id, Choice.CONFIRM, ALICE)).counts
        ended = await house.ended(waiting.id)

    assert (ended.state, ended.params["StreamName"]) == (State.ACCEPTED, "cam7")


async def test_second_person_is_shown_the_live_name(quick_store: Store) -> None:
    """A stricter approval stays as it is, and those who decide see what is live."""
    policy = POLICY.replace("approval: confirm", "approval: second-person")
    async with built(quick_store, cloud=cloud_with("cam-7"), policy=policy) as house:
        waiting = await house.run("ban cam7", BOB)

    assert waiting.approval is Approval.SECOND_PERSON
    assert "Nothing is live as `cam7`. Live now: `cam-7`." in shown(waiting)
    assert labels(waiting)[0] == "Ban cam-7"
    assert "Approve" in labels(waiting)


async def test_state_is_read_once(quick_store: Store) -> None:
    """The card shows the state that the question was asked about; it is not read again."""
    policy = POLICY.replace("members: {users: [U0ALICE]}", "members: {users: []}")
    async with built(quick_store, cloud=cloud_with("zebra"), policy=policy) as house:
        waiting = await house.run("ban cam7", BOB)

    assert (waiting.state, waiting.preview.state) == (State.WAITING, "inactive")
    reads = [*house.cloud.read_near, *house.cloud.sent]
    assert [one.action.api for one in reads].count("DescribeLiveStreamState") == 1


async def test_state_that_was_not_read_in_time_is_read_for_the_card(
    quick_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the question could not wait for is shown all the same if it comes by then."""
    monkeypatch.setattr("bot.operations.near_targets.WITHIN", 0.05)
    async with built(quick_store, cloud=cloud_with("zebra", state=None)) as house:
        waiting = await house.run("ban cam7", BOB)

    assert (waiting.state, waiting.preview.state) == (State.WAITING, "active")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ban cam7", "⚠️ Nothing is live as `cam7`. Live now: `cam-7`."),
        ("ban cam7", "after you confirm it"),
        ("ban cam7", "When it is sent, the domain and what is live will be checked again."),
        ("live cam7", "When it is sent, the domain will be checked again."),
    ],
)
async def test_dry_run_tells_the_question(quick_store: Store, text: str, says: str) -> None:
    """A dry run says that a ban would ask first, and that it is looked at again."""
    async with built(quick_store, cloud=cloud_with("cam-7")) as house:
        assert says in await dry_run(house, f"{text} --dry-run")
        assert "ForbidLiveStream" not in [one.action.api for one in house.cloud.sent]


async def test_audit_record_has_what_was_live_instead(quick_store: Store) -> None:
    """The record of the question holds the name that was shown."""
    async with built(quick_store, cloud=cloud_with("cam-7")) as house:
        await house.run("ban cam7")
        with quick_store.audit_log.records() as records:
            (waiting,) = [record for record in records if record.kind == "waiting"]

    assert "live instead: cam-7" in waiting.body


async def test_ban_after_a_stop_of_the_same_name_asks_nothing(quick_store: Store) -> None:
    """What was live when it was stopped is no mistype, although it is not live any more."""
    async with built(quick_store, cloud=cloud_with("cam-7", state="active")) as house:
        stopped = await house.run("live cam7")
        house.cloud.before_stop = "inactive"
        kept_off = await press(house, stopped.id, follow=FollowUp.KEEP_OFF)

    assert (kept_off.state, kept_off.api) == (State.ACCEPTED, "ForbidLiveStream")


@pytest.mark.parametrize("action", ALL_ACTIONS, ids=lambda action: action.api)
def test_question_depends_on_the_declaration(action: Action) -> None:
    """What keeps a resource off asks wherever the live ones can be listed, under any API's name."""
    for one in (action, replace(action, api="ForbidAnything")):
        asks = keeps_off(one) and live_list(one) is not None
        assert asks == (action.api == "ForbidLiveStream")
