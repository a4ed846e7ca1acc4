"""Flagged content from the signed callback to its card, its picture and a false alarm."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.cli.demo import DOMAIN, INCIDENTS, Sandbox
from bot.sandbox.slack.entities import Message
from bot.sandbox.tencent.flagged import Flag, picture
from bot.storage.message_integrity import OPENED
from tests.support.waiting import until
from tests.support.worlds import sandbox

TITLE = "Suggestive content in the picture"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with sandbox(tmp_path, socket=False, limits=False) as built:
        yield built


async def card(world: Sandbox, text: str) -> Message:
    found: Message = await world.slack.wait_for(
        lambda: next((m for m in world.slack.channels[INCIDENTS].roots if text in m.text), None)
    )
    return found


def private(world: Sandbox, user: str) -> list[str]:
    return [
        message.text
        for channel in world.slack.channels.values()
        for message in channel.messages
        if message.to == user or channel.id.startswith("D")
    ]


async def test_flagged_picture_is_shown_to_one_person_and_stopped(world: Sandbox) -> None:
    """The card says what and since when; the picture is sent to who asked; Stop asks as usual."""
    world.cloud.flag("stream1", DOMAIN, "live")
    root = await card(world, TITLE)
    assert list(root.buttons()) == [
        *("Stop", "Ban 30 min", "Ban 2 h", "Ban 7 days"),
        *("Show picture to me", "False alarm"),
    ]
    await world.slack.wait_for(lambda: "Live since" in root.text)
    assert "Score 92 of 100" in root.text
    assert not root.files

    await world.slack.person("U0ALICE").press("Show picture to me", root, INCIDENTS)
    (file,) = await world.slack.wait_for(
        lambda: [one for one in world.slack.files.values() if one.channel]
    )
    assert file.channel.startswith("D")
    assert file.content == picture()
    assert file.name == "picture.png"

    assert [one.api for one in world.cloud.ran() if not one.api.startswith("Describe")] == []
    await world.slack.person("U0ALICE").press("Stop", root, INCIDENTS)
    await world.slack.wait_for(lambda: world.cloud.ran("DropLiveStream"))


async def test_false_alarm_is_recorded_and_quiet(world: Sandbox) -> None:
    """Who may stop the stream may call it false; the same is quiet for a while, another is not."""
    world.cloud.flag("stream1", DOMAIN, "live")
    root = await card(world, TITLE)
    before = set(world.slack.files)
    for label in ("False alarm", "Show picture to me"):
        await world.slack.person("U0MALLORY").press(label, root, INCIDENTS)
        await world.slack.wait_for(
            lambda: [one for one in private(world, "U0MALLORY") if "can't stop" in one]
        )
    assert root.buttons()
    assert set(world.slack.files) == before

    await world.slack.person("U0ALICE").press("False alarm", root, INCIDENTS)
    await world.slack.wait_for(lambda: "False alarm" in root.text)
    assert "<@U0ALICE>" in root.text
    assert not root.buttons()
    world.cloud.flag("stream1", DOMAIN, "live", flag=Flag(score=95))
    await until(lambda: len(world.cloud.callbacks.sent) == 2)
    world.cloud.flag("stream1", DOMAIN, "live", flag=Flag(label="Terror"))
    await card(world, "Violence or terror in the picture")
    assert world.bot.store is not None
    with world.bot.store.audit_log.records() as records:
        found = [(one.kind, one.facts) for one in records]
    opened = [facts["title"] for kind, facts in found if kind == OPENED]
    assert opened == [TITLE, "Violence or terror in the picture"]
    (dismissed,) = [facts for kind, facts in found if kind == "false alarm"]
    assert dismissed["user"] == "U0ALICE"


async def test_repeats_edit_one_card(world: Sandbox) -> None:
    """The same notice again, and a newer one about the same, are one card."""
    world.cloud.callbacks.delivery.copies = 3
    world.cloud.flag("stream1", DOMAIN, "live")
    root = await card(world, TITLE)
    world.cloud.flag("stream2", DOMAIN, "live")
    await until(lambda: len(world.cloud.callbacks.sent) == 6)
    store = world.bot.store
    assert store is not None

    async def is_told() -> bool:
        return not await store.outbox.depth()

    await until(is_told)
    assert len(world.slack.channels[INCIDENTS].roots) == 2
    assert {one.status for one in world.cloud.callbacks.sent} == {200}
    assert "stream1" in root.text
