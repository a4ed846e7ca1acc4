"""What is off and held, as people see it in the sandbox's Slack."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.cli.demo import AUDIT, DOMAIN, INCIDENTS, Sandbox
from bot.model.operations import Operation
from bot.sandbox.page.user_actions import UserActions
from bot.sandbox.slack.entities import Message
from bot.storage.verifications import Verifications
from tests.support.worlds import sandbox


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sandbox]:
    monkeypatch.setattr("bot.operations.executor.LOOK_AFTER", 0.5)
    monkeypatch.setattr("handlers.listeners.home.REFRESH_EVERY", 0.2)
    policy = "roles: {r: {members: {users: [U0ALICE, U0BOB]}, allow: [{actions: ['*']}]}}\n"
    text = f"defaults: {{live: {{DomainName: {DOMAIN}}}}}\n{policy}"
    async with sandbox(tmp_path, policy=text, socket=False, limits=False) as one:
        yield one


async def found(world: Sandbox, user: str, words: str, label: str = "") -> Message:
    def there() -> list[Message]:
        return [
            m
            for m in (*world.slack.channels[INCIDENTS].messages, *world.slack.ephemerals(user))
            if words in m.text and (not label or label in m.buttons())
        ]

    messages: list[Message] = await world.slack.wait_for(there)
    return messages[-1]


async def test_off_air_list_hands_over_between_people(
    world: Sandbox,
) -> None:
    """Someone else sees the ban and the hold, resumes the stream and releases the hold."""
    slack = world.slack
    alice, bob = slack.person("U0ALICE"), UserActions(slack, "U0BOB")
    await alice.slash("/stopstream", "ban stream1 reason=loop case=INC-9", INCIDENTS)
    await found(world, "U0ALICE", "*Accepted*", "Undo")
    await alice.slash("/stopstream", "hold car user1 reason='court order'", INCIDENTS)
    await found(world, "U0ALICE", "Nobody can start it")

    await bob.slash("/stopstream", "off", INCIDENTS)
    told = await found(world, "U0BOB", "• Off:", "Bring it back")
    assert "<@U0ALICE>" in told.text
    assert "case `INC-9`" in told.text
    assert "now banned" in told.text
    assert "Held: `stream user1`" in told.text
    assert "reason: court order" in told.text
    home = await bob.open_home()
    assert "Currently off" in str(home)

    button = next(
        b["accessory"]
        for b in home["blocks"]
        if b.get("accessory", {}).get("text", {}).get("text") == "Bring it back"
    )
    await bob.act(home, button["action_id"], button["value"], {})
    await slack.wait_for(lambda: world.cloud.ran("ResumeLiveStream"))
    await slack.wait_for(lambda: "Bring it back" not in str(slack.homes["U0BOB"]))
    await bob.press("Release", told, INCIDENTS)
    await found(world, "U0BOB", "It can be started again")
    lines = slack.channels[AUDIT].messages
    await slack.wait_for(lambda: any("Release" in line.text for line in lines))
    assert any("Hold" in line.text and "court order" in line.text for line in lines)


async def test_expiring_stop_offers_extend_and_lift(world: Sandbox) -> None:
    """A stop with an expiry can be extended, after which only the newer message lifts it."""
    slack = world.slack
    alice = slack.person("U0ALICE")
    await alice.slash("/stopstream", "live stream1 for=30m", INCIDENTS)
    lift = await found(world, "U0ALICE", "*Ends <!date", "Lift now")
    assert "<!date^" in lift.text
    assert "Extend" in lift.buttons()
    await alice.press("Extend", lift, INCIDENTS)
    await slack.wait_for(lambda: len(world.cloud.ran("ForbidLiveStream")) == 2)
    later = await slack.wait_for(
        lambda: [
            m
            for m in slack.channels[INCIDENTS].messages
            if "Lift now" in m.buttons() and m.ts != lift.ts and "*Ends <!date" in m.text
        ]
    )
    await alice.press("Lift now", lift, INCIDENTS)
    await found(world, "U0ALICE", "Nothing was sent: ")
    assert not world.cloud.ran("ResumeLiveStream")
    await alice.press("Lift now", later[-1], INCIDENTS)
    await slack.wait_for(lambda: world.cloud.ran("ResumeLiveStream"))


async def test_mistyped_stream_name_is_questioned(world: Sandbox) -> None:
    """A stop of a misspelled stream suggests the live one; a correct name is not questioned."""
    alice = world.slack.person("U0ALICE")
    await alice.slash("/stopstream", "live straem1", INCIDENTS)
    asked = await found(world, "U0ALICE", "Nothing was live as `straem1`.", "Stop stream1")
    assert "Live now: `stream1`" in asked.text
    await alice.slash("/stopstream", "live stream2", INCIDENTS)
    held = await found(world, "U0ALICE", "*Off: `stream2`*")
    assert "Live now" not in held.text


async def test_verifier_skips_a_ban_that_was_undone(
    world: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The verifier posts no reading for a ban that was undone before it was due."""
    slack = world.slack
    claim, undone = Verifications.claim, asyncio.Event()

    async def claim_once_undone(verifications: Verifications) -> list[Operation]:
        return await claim(verifications) if undone.is_set() else []

    monkeypatch.setattr(Verifications, "claim", claim_once_undone)
    alice = slack.person("U0ALICE")
    await alice.slash("/stopstream", "ban stream2", INCIDENTS)
    banned = await found(world, "U0ALICE", "*Accepted*", "Undo")
    await alice.press("Undo", banned, INCIDENTS)
    await found(world, "U0ALICE", "Lifted")
    undone.set()
    await alice.slash("/stopstream", "live stream1", INCIDENTS)
    dropped = await found(world, "U0ALICE", "DropLiveStream", "Ban 30 min")
    # What was seen of the ban before it was undone may have been told until here.
    before = len(slack.channels[INCIDENTS].messages)

    def looks() -> list[Message]:
        messages = slack.channels[INCIDENTS].messages[before:]
        read = ("later", "after the stop")
        return [m for m in messages if m.thread_ts and any(words in m.text for words in read)]

    await slack.wait_for(looks)
    # The ban's own look would have come before.
    assert {m.thread_ts for m in looks()} == {dropped.thread_ts}


async def test_root_card_learns_what_happened_later(world: Sandbox) -> None:
    """The card in the channel is edited when its ban is extended, and when that is lifted."""
    slack = world.slack
    alice, bob = slack.person("U0ALICE"), UserActions(slack, "U0BOB")

    def root(words: str) -> list[Message]:
        return [m for m in slack.channels[INCIDENTS].roots if words in m.text]

    await alice.slash("/stopstream", "live stream1 for=30m", INCIDENTS)
    lift = await found(world, "U0ALICE", "*Ends <!date", "Extend")
    (card,) = root("Ban sent") or root("Off: ")
    await bob.press("Extend", lift, INCIDENTS)
    await slack.wait_for(lambda: root("*Extended: "))
    await alice.slash("/startstream", "live stream1", INCIDENTS)
    await slack.wait_for(lambda: root("*Lifted: "))

    (now,) = root("*Lifted: ")
    assert now.ts == card.ts
    assert now.text.startswith("↩️ *Lifted: `stream1`* · by <@U0ALICE>")


async def test_root_card_learns_that_a_stream_is_live_again(world: Sandbox) -> None:
    """The card in the channel says so when the encoder of a stopped stream pushes again."""
    slack = world.slack
    alice = slack.person("U0ALICE")
    await alice.slash("/stopstream", "live stream1", INCIDENTS)
    await slack.wait_for(lambda: world.cloud.ran("DropLiveStream"))

    def card(words: str) -> list[Message]:
        return [m for m in slack.channels[INCIDENTS].roots if words in m.text]

    await slack.wait_for(lambda: card("🔵 *Off: ") or card("🔴 *Live again: "))
    assert len(card("`stream1`")) == 1
