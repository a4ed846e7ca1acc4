"""What follows an ending: asked anew by whoever presses, under their own rules."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.catalog.registry import ACTIONS, by_api
from bot.cli.demo import DOMAIN, INCIDENTS, Sandbox
from bot.model.actions import Effect, Json
from bot.model.operations import State
from bot.operations.follow_ups import FollowUp, follow_up_command, follow_ups
from bot.sandbox.slack.entities import Message
from bot.sandbox.tencent.faults import Fault
from tests.support.off_air import ended
from tests.support.worlds import sandbox


@pytest.mark.parametrize("api", [action.api for action in ACTIONS])
@pytest.mark.parametrize("state", list(State))
def test_follow_up_command_is_valid_for_its_action(api: str, state: State) -> None:
    """A follow-up of any action and state has all required and only known parameters."""
    action = by_api(api)
    params: dict[str, Json] = {p.api: "x" for p in action.params}
    operation = replace(ended(api, state), params=params)
    for follow in follow_ups(operation):
        found = follow_up_command(operation, follow)
        assert found is not None
        assert {p.api for p in found.action.params if p.required} <= set(found.params)
        assert set(found.params) <= {p.api for p in found.action.params}
        if follow is FollowUp.CHECK:
            assert found.action.effect is Effect.READ


@pytest.mark.parametrize(("index", "span"), [(0, None), (1, 1800.0), (2, 7200.0), (3, 604_800.0)])
def test_keep_off_lasts_as_long_as_its_button_says(index: int, span: float | None) -> None:
    """Each button bans for its own time; one of an older card for the default."""
    stopped = replace(ended("DropLiveStream"), state=State.ACCEPTED)

    found = follow_up_command(stopped, FollowUp.KEEP_OFF, now=1_700_000_000.0, index=index)

    assert found is not None
    assert found.action.api == "ForbidLiveStream"
    assert found.spans == ({} if span is None else {"ResumeTime": span})
    assert ("ResumeTime" in found.params) == (span is not None)


def test_follow_ups_are_empty_before_a_result() -> None:
    """An operation that is pending, running or denied offers no follow-up."""
    for state in (State.ASKED, State.WAITING, State.DUE, State.RUNNING, State.DENIED):
        assert follow_ups(ended("DropLiveStream", state)) == ()


def test_follow_ups_of_a_drop_and_a_ban() -> None:
    """An accepted drop can be kept off, and an accepted ban undone, extended or lifted."""
    assert follow_ups(ended("DropLiveStream", State.ACCEPTED)) == (
        FollowUp.KEEP_OFF,
        FollowUp.CHECK,
    )
    assert follow_ups(ended("ForbidLiveStream", State.ACCEPTED)) == (
        FollowUp.UNDO,
        FollowUp.CHECK,
        FollowUp.EXTEND,
        FollowUp.LIFT,
    )


def test_follow_up_retry_requires_an_idempotent_action() -> None:
    """After an unknown outcome, retry is offered only for actions that may run twice."""
    assert FollowUp.RETRY in follow_ups(ended("DropLiveStream", State.UNKNOWN))
    start = replace(ended("StartPublishStream", State.UNKNOWN), params={"UserId": "u"})
    assert FollowUp.RETRY not in follow_ups(start)
    assert FollowUp.RETRY in follow_ups(ended("DropLiveStream", State.EXPIRED))
    refused = replace(ended("DropLiveStream", State.FAILED), code="ResourceNotFound.StopService")
    assert FollowUp.RETRY not in follow_ups(refused), "it will be refused again"


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sandbox]:
    monkeypatch.setattr("bot.operations.executor.LOOK_AFTER", 1.0)
    async with sandbox(tmp_path, socket=False, limits=False) as built:
        yield built


async def said(world: Sandbox, words: str, label: str = "") -> Message:
    """Wait for a message in a thread with these words, and a button if one is named."""
    channel = world.slack.channels[INCIDENTS]
    found: list[Message] = await world.slack.wait_for(
        lambda: [
            m
            for m in channel.messages
            if m.thread_ts and words in m.text and (not label or label in m.buttons())
        ],
    )
    return found[-1]


async def test_verifier_reports_a_reconnected_encoder(world: Sandbox) -> None:
    """An encoder that reconnects is reported, and its stream can be banned and resumed."""
    slack = world.slack
    world.cloud.resources.put("stream", "stream1", DOMAIN, "live", returns_after=0.3)
    await slack.person("U0ALICE").slash("/stopstream", "live stream1", INCIDENTS)
    await said(world, "*Accepted*", "Ban 30 min")
    back = await said(world, "*Live again: ", "Ban 30 min")
    assert "<@U0ALICE>" in back.text
    assert "after the stop" in back.text or "later" in back.text

    await slack.person("U0MALLORY").press("Ban 30 min", back, INCIDENTS)
    await slack.wait_for(lambda: [m for m in slack.ephemerals("U0MALLORY") if "Denied" in m.text])
    assert not world.cloud.ran("ForbidLiveStream")

    alice = slack.person("U0ALICE")
    presses = [alice.press("Ban 30 min", back, INCIDENTS) for _ in range(2)]
    await asyncio.gather(*presses)
    card = await said(world, "Ban `stream1`", "Confirm")
    await slack.wait_for(
        lambda: [m for m in slack.ephemerals("U0ALICE") if "You already asked for this" in m.text]
    )
    await alice.press("Confirm", card, INCIDENTS)
    banned = await said(world, "ForbidLiveStream", "Undo")
    assert len(world.cloud.ran("ForbidLiveStream")) == 1
    # Where the machine was too busy to read the state before the ban, it is not called off.
    await said(world, "checked ")

    await alice.press("Undo", banned, INCIDENTS)
    await said(world, "ResumeLiveStream", "Check status")
    assert len(world.cloud.ran("ResumeLiveStream")) == 1


async def test_verifier_reports_a_reading_that_failed(world: Sandbox) -> None:
    """A failed status reading is reported as unknown, with the command to check again."""
    world.cloud.faults.persist(Fault(code="InternalError"), api="DescribeLiveStreamState")
    await world.slack.person("U0ALICE").slash("/stopstream", "live stream2", INCIDENTS)

    seen = await said(world, "Couldn't check whether `stream2` is off")
    assert "/stopstream status live stream2" in seen.text


async def test_follow_up_ignores_a_forged_button(world: Sandbox) -> None:
    """A button with a forged value or channel runs nothing and is answered."""
    slack = world.slack
    await slack.person("U0ALICE").slash("/stopstream", "live stream1", INCIDENTS)
    ending = await said(world, "*Accepted*", "Ban 30 min")
    payload = slack.person("U0ALICE").press_payload("Ban 30 min", ending, INCIDENTS)
    for value, where in (("nosuch", INCIDENTS), (payload["actions"][0]["value"], "C0AUDIT")):
        forged = payload | {
            "trigger_id": slack.trigger("U0ALICE"),
            "channel": {"id": where, "name": "x"},
            "actions": [payload["actions"][0] | {"value": value}],
        }
        ack = await slack.delivery.deliver("interaction", forged)
        assert not ack.error
    await slack.wait_for(
        lambda: (
            len([m for m in slack.ephemerals("U0ALICE") if "This button has expired" in m.text])
            == 2
        )
    )
    assert not world.cloud.ran("ForbidLiveStream")
