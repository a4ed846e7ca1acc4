"""Access requests: who is offered one, who approves it, and what is checked again."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bot.catalog.registry import action_of, by_api
from bot.cli.demo import INCIDENTS
from bot.model.actions import Effect
from bot.model.commands import Invocation, Via
from bot.model.messages import MessageKind
from bot.model.operations import Choice, Decision, Operation, State
from bot.model.people import Actor, Place
from bot.operations.results import Accepted, Objection, Touched
from bot.sandbox.slack.entities import Message
from bot.sandbox.slack.person import Person
from bot.sandbox.slack.workspace import Workspace
from bot.storage.store import Store
from handlers.messages import audit_line, cards, endings, replies
from handlers.messages.buttons import SHOW
from handlers.messages.touched import touched_reply
from tests.conftest import House, built
from tests.support.fakes import ALICE, BOB, MALLORY, FakeCloud
from tests.support.previews import ONLINE, POLICY, shown
from tests.support.worlds import sandbox


@pytest.fixture
async def house(quick_store: Store) -> AsyncIterator[House]:
    async with built(quick_store, policy=POLICY, cloud=FakeCloud(bodies=dict(ONLINE))) as one:
        yield one


async def refused(house: House, text: str = "live stream1", **more: Any) -> Operation:
    operation = await house.run(text, MALLORY, **more)
    assert operation.state is State.DENIED
    return operation


async def press(house: House, operation: Operation, actor: Any = MALLORY) -> Any:
    asked = Invocation("press", actor, Place("C0INC"), "", Via.BUTTON, None)
    return await house.service.request(operation.id, asked)


async def requested(house: House) -> Operation:
    reply = await press(house, await refused(house))
    assert isinstance(reply, Accepted), reply
    waits = await house.engine.ending(reply.operation.id)
    await house.courier.drain()
    assert waits.state is State.WAITING
    return await house.now(waits.id)


async def test_denial_names_roles_and_offers_access_request(house: House) -> None:
    """A denial names the roles that may act and offers a button to ask them."""
    operation = await refused(house)
    message = endings.private_reply(operation, by_api("DropLiveStream"))

    assert "oncall or leads can." in message.text
    assert "`leads` can approve it for you" in message.text
    (button,) = message.blocks[1]["elements"]
    assert (button["action_id"], button["value"]) == ("request", operation.id)


@pytest.mark.parametrize("text", ["domain push.example.com", "ban vip-1", "car u-1", "car x"])
async def test_denial_offers_no_request_unless_policy_allows(house: House, text: str) -> None:
    """A denial offers no access request where the policy does not allow one."""
    operation = await refused(house, text)
    message = endings.private_reply(operation, action_of(operation))
    reply = await press(house, operation)

    assert len(message.blocks) == 1
    assert not isinstance(reply, Accepted)


async def test_denial_in_direct_message_offers_no_request(house: House) -> None:
    """A denial in a direct message offers nobody to ask."""
    house.directory.channels["D0MALLORY"] = house.directory.channels["C0INC"]
    operation = await refused(house, channel="D0MALLORY")

    assert operation.approvals.request_from == ()


async def test_access_request_waits_for_permitted_approver(house: House) -> None:
    """An access request says why the requester may not, and runs only on a lead's approval."""
    operation = await requested(house)
    text = shown(operation)

    assert "<@U0MALLORY> can't do this alone: they have no role." in text
    assert "`leads` (<@U0BOB>): approve" in text
    assert operation.approvals.people == ("U0BOB",)
    assert not house.heard(MessageKind.ENDING)
    for actor, choice in (
        (MALLORY, Choice.APPROVE),
        (ALICE, Choice.APPROVE),
        (MALLORY, Choice.CONFIRM),
    ):
        assert not (await house.decide(operation.id, choice, actor)).counts
    assert not (await house.decide(operation.id, Choice.EMERGENCY, MALLORY, "now")).counts
    assert [c for c in house.cloud.sent if c.action.effect is not Effect.READ] == []

    assert (await house.decide(operation.id, Choice.APPROVE, BOB)).counts
    ended = await house.ended(operation.id)
    assert ended.state is State.ACCEPTED
    with house.store.audit_log.records(operation=operation.id) as records:
        bodies = {record.kind: record.body for record in records}
    assert f'"request_of":"{operation.origin.request_of}"' in bodies["asked"]
    assert '"lacks":"they have no role"' in bodies["ended"]
    assert "can't do this alone" in audit_line.audit_line(ended, by_api("DropLiveStream")).text


async def test_access_request_skips_reads_requester_lacks(house: House) -> None:
    """An access request makes no read that the requester may not make."""
    operation = await requested(house)
    text = shown(operation)

    assert house.cloud.sent == []
    assert operation.preview.state == ""
    assert "push.example.com/live" not in text
    assert "What it touches is hidden: the asker may not see it." in text
    assert (await house.decide(operation.id, Choice.APPROVE, BOB)).counts


async def test_access_request_shows_permitted_readings(house: House) -> None:
    """An access request shows the state and readings that the requester may read."""
    refusal = await house.run("ban stream1", ALICE)
    reply = await press(house, refusal, ALICE)
    waits = await house.engine.ending(reply.operation.id)

    assert refusal.state is State.DENIED
    assert waits.preview.state == "active"
    assert "Live since" in shown(waits)
    assert "is hidden" not in shown(waits)
    assert SHOW not in buttons(waits)


def buttons(operation: Operation) -> list[str]:
    card = cards.card(operation, action_of(operation))
    return [
        one["action_id"]
        for block in card.blocks
        for one in block.get("elements", ())
        if "action_id" in one
    ]


async def look(house: House, operation: Operation, actor: Actor) -> Touched | Objection:
    place = Place(operation.place.channel)
    press = Decision("press", operation.id, Choice.APPROVE, actor, place, message_ts="")
    return await house.service.touched.read(press)


async def test_what_a_request_touches_is_read_with_the_rights_of_who_may_decide(
    quick_store: Store,
) -> None:
    """Who may approve reads what the asker may not, and the trail says that they did."""
    async with built(quick_store, policy=LEADS_READ, cloud=FakeCloud(bodies=dict(ONLINE))) as house:
        operation = await requested(house)
        assert buttons(operation)[-1] == SHOW
        found = await look(house, operation, BOB)
        assert isinstance(found, Touched), found
        text = touched_reply(found, action_of(operation)).text
        with house.store.audit_log.records(operation=operation.id) as records:
            (kept,) = [one.facts for one in records if one.kind == "shown"]

    assert "push.example.com/live" in text
    assert "Only you see this: <@U0MALLORY> isn't allowed to." in text
    assert "hidden" not in text
    assert kept["by"] == "U0BOB"
    assert "state: active" in str(kept["saw"])
    assert "push.example.com/live" not in shown(operation)


async def test_what_a_request_touches_is_hidden_from_an_approver_who_may_not_read_it(
    house: House,
) -> None:
    """A lead who may not read the state approves without it, and is told so."""
    operation = await requested(house)
    found = await look(house, operation, BOB)

    assert isinstance(found, Touched), found
    text = touched_reply(found, action_of(operation)).text
    assert "Some of it is hidden from you too." in text
    assert "push.example.com/live" not in text
    assert house.cloud.sent == []


@pytest.mark.parametrize("actor", [MALLORY, ALICE], ids=["asker", "not an approver"])
async def test_what_a_request_touches_is_shown_to_nobody_else(house: House, actor: Actor) -> None:
    """Neither the asker nor somebody who may read but not approve has it read for them."""
    operation = await requested(house)
    found = await look(house, operation, actor)

    assert isinstance(found, Objection), found
    assert house.cloud.sent == []


async def test_what_a_request_touches_is_not_shown_after_a_change_of_the_policy(
    quick_store: Store,
) -> None:
    """The policy is asked at the click: who has lost the right is refused."""
    async with built(quick_store, policy=LEADS_READ, cloud=FakeCloud(bodies=dict(ONLINE))) as house:
        operation = await requested(house)
        house.policy(LEADS_READ.replace("users: [U0BOB]", "users: []"))
        found = await look(house, operation, BOB)

        assert isinstance(found, Objection), found
        assert house.cloud.sent == []


async def test_access_request_is_created_once_by_requester_only(house: House) -> None:
    """Only the denied user can request access, and repeated clicks make one request."""
    operation = await refused(house)
    other = await press(house, operation, ALICE)
    replies = await asyncio.gather(*(press(house, operation) for _ in range(5)))

    assert not isinstance(other, Accepted)
    assert [reply.again for reply in replies].count(False) == 1
    assert len({reply.operation.id for reply in replies}) == 1
    assert not isinstance(await press(house, replies[0].operation), Accepted)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (State.ASKED, "It is under way, see <https://a.slack.com/archives/C/p1|its card>."),
        (State.WAITING, "See <https://a.slack.com/archives/C/p1|its card>."),
        (State.ACCEPTED, "see <https://a.slack.com/archives/C/p1|its card>"),
    ],
)
async def test_access_request_repeat_links_to_first_card(
    house: House, state: State, said: str
) -> None:
    """A repeated access request is answered with the state and the card of the first."""
    operation = replace(await refused(house), state=state)
    action = by_api(operation.api)
    there = replies.asked_before(operation, action, "https://a.slack.com/archives/C/p1").text
    nowhere = replies.asked_before(operation, action).text

    assert there.startswith("You already asked for this")
    assert said in there
    assert "slack.com" not in nowhere
    assert "twice" not in there + nowhere


async def test_access_request_is_denied_if_policy_drops_requests(house: House) -> None:
    """An access request is denied if the policy no longer allows it at the click."""
    operation = await refused(house)
    house.policy(POLICY.replace("requests: true", "requests: false"))
    reply = await press(house, operation)
    ended = await house.ended(reply.operation.id)

    assert ended.state is State.DENIED
    assert "lets nobody ask" in ended.detail
    assert len(endings.private_reply(ended, by_api("DropLiveStream")).blocks) == 1


async def test_access_request_approval_rechecks_policy(house: House) -> None:
    """Approving does not run a request that the policy no longer allows."""
    operation = await requested(house)
    house.policy(POLICY.replace("approval: confirm, requests: true", "approval: confirm"))
    settled = await house.decide(operation.id, Choice.APPROVE, BOB)

    assert not settled.counts
    assert (await house.now(operation.id)).state is not State.ACCEPTED
    assert [c for c in house.cloud.sent if c.action.effect is not Effect.READ] == []


async def test_access_request_does_not_bypass_new_limit(house: House) -> None:
    """An access request does not bypass a policy limit that was added while it waited."""
    operation = await requested(house)
    limit = "limits:\n  - {actions: [DropLiveStream], approval: second-person}"
    house.policy(POLICY.replace("limits:", limit))
    assert not (await house.decide(operation.id, Choice.APPROVE, BOB)).counts
    assert [c for c in house.cloud.sent if c.action.effect is not Effect.READ] == []


LEADS_READ = POLICY.replace(
    "      - {actions: [StopPublishStream]",
    '      - {actions: ["Describe*"]}\n      - {actions: [StopPublishStream]',
)
"""Leads may read what they approve."""


def edited_since(message: Message, edits: int) -> bool:
    return message.edits > edits


async def asks_again(
    slack: Workspace, mallory: Person, button: dict[str, Any], denial: Message
) -> None:
    """Press once more, until the answer links to the card: Slack may have it before the store."""
    link = f"See <https://sandbox.slack.com/archives/{INCIDENTS}/p"
    async with asyncio.timeout(60):
        while link not in denial.text:
            edits = denial.edits
            await mallory.click(button, denial, INCIDENTS)
            await slack.wait_for(partial(edited_since, denial, edits))
            assert denial.text.startswith("You already asked for this")


async def test_access_request_runs_after_approval_in_sandbox(tmp_path: Path) -> None:
    """In the sandbox a denied user requests access and a lead's approval runs the stop."""
    async with sandbox(tmp_path, socket=False, limits=False) as world:
        slack, channel = world.slack, world.slack.channels[INCIDENTS]
        mallory = slack.person("U0MALLORY")
        await mallory.slash("/stopstream", "live stream1", INCIDENTS)
        denial = await slack.wait_for(
            lambda: next((m for m in slack.ephemerals("U0MALLORY") if m.buttons()), None)
        )
        button = denial.buttons()["Request approval"]
        await mallory.click(button, denial, INCIDENTS)
        root = await slack.wait_for(
            lambda: next((m for m in channel.roots if "Approve" in m.buttons()), None)
        )
        await slack.wait_for(lambda: not denial.buttons())
        assert denial.text == "Approval requested: stop `stream1`."
        await asks_again(slack, mallory, button, denial)
        assert "<@U0MALLORY> can't do this alone" in root.text
        bob, before = slack.person("U0BOB"), [m for m in channel.messages if not m.to]
        await bob.press("Show what it touches", root, INCIDENTS)
        await slack.wait_for(lambda: [m for m in slack.ephemerals("U0BOB") if "Only you" in m.text])
        assert [m for m in channel.messages if not m.to] == before, "the channel is told nothing"
        assert not [m for m in slack.ephemerals("U0MALLORY") if "Only you" in m.text]
        await slack.person("U0BOB").press("Approve", root, INCIDENTS)
        thread = await slack.wait_for(lambda: channel.thread(root.ts))

    assert "Accepted" in thread[0].text


READER = """
  readers:
    members: {users: [U0MALLORY]}
    allow: [{actions: ["Describe*"]}]
"""


@pytest.mark.parametrize(("policy", "told"), [(POLICY, 0), (POLICY + READER, 1)])
async def test_request_of_a_ban_reads_only_what_its_author_may_read(
    quick_store: Store, policy: str, told: int
) -> None:
    """Who may not list what is live does not learn from a request which near name is live."""
    cloud = FakeCloud(before_stop="inactive", bodies=dict(ONLINE))
    async with built(quick_store, policy=policy, cloud=cloud) as house:
        reply = await press(house, await refused(house, "ban Stream1"))
        assert isinstance(reply, Accepted), reply
        waits = await house.engine.ending(reply.operation.id)

    assert waits.state is State.WAITING
    assert len(waits.preview.live_instead) == told
