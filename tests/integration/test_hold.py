"""A hold denies every start of its resource until it is released."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from bot.commands.formatting import format_command
from bot.errors import ParseError
from bot.model.actions import Effect
from bot.model.commands import Command, Invocation
from bot.model.off_air import Hold, StartScope
from bot.model.operations import Choice, Operation, State
from bot.model.people import Place
from bot.storage.transition import Effects, Guards, Transition
from handlers.messages import dry_run as dry_run_messages
from handlers.messages import off_air as off_air_messages
from tests.conftest import House
from tests.support.fakes import ALICE, BOB, MALLORY
from tests.support.off_air import POLICY, command, ended


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("hold live s1 reason=legal", "stream s1"),
        ("hold main-stage reason=“court order”", "stream stream9"),
        ("hold live rtmp://push.example.com/live/s1?txSecret=5ECRE7 reason=x", "stream s1"),
        ("hold pad s1 reason=x", "stream s1"),
        ("hold car u1 --reason x", "stream u1"),
        ("release 'stream s1' account=default", "stream s1"),
        ("hold domain PUSH.example.com reason=x", "domain push.example.com"),
        ("hold stream s1 reason=x", "stream s1"),
        ("Hold Target='live s1' Reason=x", "stream s1"),
        ("release live s1", "stream s1"),
        ("release ingest 123 1400000000", "ingest 123 1400000000"),
    ],
)
def test_hold_command_names_the_resource_a_start_would_touch(text: str, target: str) -> None:
    """Hold and release resolve their target to the type and name a start would touch."""
    found = command(text)

    assert found.params["Target"] == target
    assert command(format_command(found)) == found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("hold live s1", "reason is missing"),
        ("hold", "Say what, for example: /stopstream hold live stream1 reason=legal"),
        ("hold lvie s1 reason=x", 'Did you mean "live"'),
        ("hold remove 12 users=a sdkappid=14 region=ap-guangzhou reason=x", "needs no hold"),
        ("hold record s1 44 reason=x", "needs no hold"),
        ("hold whoami reason=x", "Say what, for example"),
        ("hold live s1 for=30m reason=x", 'A hold takes no "for"'),
        ("hold stream s1 domain=a.example.com reason=x", "is not a command"),
        ("hold record-task 12 region=ap-guangzhou reason=x", "needs no hold"),
        ("hold stream x?txSecret=5ECRE75ECRE7 reason=x", "A key stands in that name"),
        ("hold target='stream x?txSecret=5ECRE75ECRE7' reason=x", "A key stands in that name"),
        ("hold live s1 reason=a reason=b", "given twice"),
        ("release live s1 reason=x", 'takes no "reason"'),
        ("off now", '"off" stands alone'),
    ],
)
def test_hold_command_rejects_what_cannot_be_held(text: str, problem: str) -> None:
    """A hold, release or off command that is invalid raises ParseError with the reason."""
    with pytest.raises(ParseError, match=problem):
        command(text)


def test_hold_command_error_hides_the_stream_key() -> None:
    """The parse error for a hold on a stream URL does not contain the URL's key."""
    with pytest.raises(ParseError) as caught:
        command("hold live rtmp://push.example.com/live/s1?txSecret=5ECRE7 oops reason=x")
    assert "5ECRE7" not in caught.value.text


async def test_hold_refuses_every_start_of_its_resource(home: House) -> None:
    """A hold denies every start of its stream with who and why, until it is released."""
    await home.run("ban s1")
    held = await home.run("hold live s1 reason='court order'")
    assert held.state is State.ACCEPTED
    for text in ("live s1", "live s1 domain=other.example.com", "ResumeLiveStream s1"):
        refused = await home.run(text, verb=Effect.START)
        assert refused.state is State.DENIED, text
        assert "U0ALICE has held «stream s1» since" in refused.detail
        assert "«court order»" in refused.detail
        assert "«/stopstream release stream s1»" in refused.detail
    assert (await home.run("pad s1")).state is State.DENIED, "taking the pad away shows it again"
    assert (await home.run("live s2", verb=Effect.START)).state is State.ACCEPTED
    assert (await home.run("live s1", key="stop")).state is State.ACCEPTED, "stops go on"
    assert (await home.run("hold live s1 reason=mine", MALLORY)).state is State.DENIED

    released = await home.run("release live s1")
    assert released.state is State.ACCEPTED
    again = await home.run("live s1", verb=Effect.START, key="now it may")
    assert again.state is State.ACCEPTED


async def test_hold_and_release_are_idempotent(home: House) -> None:
    """A second hold or release of the same stream ends as already done and sends nothing."""
    await home.run("hold live s1 reason=first")
    second = await home.run("hold live s1 reason=second", BOB)
    await home.decide(second.id, Choice.CONFIRM, BOB)
    second = await home.ended(second.id)
    assert (second.state, second.detail) == (State.ALREADY, "U0ALICE holds it already: «first».")
    await home.run("release live s1")
    twice = await home.run("release live s1", key="twice")
    assert (twice.state, twice.detail) == (State.ALREADY, "Nobody holds it.")
    assert await home.store.off_air.list_holds() == []
    assert [c for c in home.cloud.sent if c.action.product.local] == [], "nothing is sent"


async def test_hold_refuses_a_start_that_awaits_confirmation(
    home: House,
) -> None:
    """A hold placed before the confirmation of a start keeps the start from being sent."""
    await home.run("ban s1")
    waiting = await home.run("live s1", BOB, verb=Effect.START)
    assert waiting.state is State.WAITING
    await home.run("hold live s1 reason=legal")
    settled = await home.decide(waiting.id, Choice.CONFIRM, BOB)
    found = await home.now(waiting.id)
    assert found.state in (State.DENIED, State.WAITING)
    assert "legal" in (settled.words + found.detail)
    assert "ResumeLiveStream" not in {c.action.api for c in home.cloud.sent}


async def test_hold_is_rechecked_in_the_starting_transaction(home: House) -> None:
    """The store refuses to start an operation if a hold in its scope was committed before."""
    operation = replace(
        ended("ResumeLiveStream"), state=State.ASKED, id="op7", key="k7", ended_at=None
    )
    await home.store.operations.add(operation, {})
    held = Hold("default", "stream s1", "op8", "U0BOB", "legal", 0.0)
    other = replace(operation, id="op8", key="k8")
    await home.store.operations.add(other, {})
    await home.store.operations.apply(
        Transition("op8", (State.ASKED, State.DUE), {}, effects=Effects(hold=held))
    )
    path = (State.ASKED, State.DUE, State.RUNNING)

    start = StartScope("default", ("stream s1",), ("default",))
    move = Transition("op7", path, {}, guards=Guards(start_scope=start))
    ((_, started),) = await home.store.operations.start("default", "ResumeLiveStream", 0.01, [move])
    assert started is None
    # A hold on an account that the policy names no more holds on all.
    second = StartScope("second", ("stream s1",), ("second",))
    gone = replace(move, guards=Guards(start_scope=second))
    ((_, started),) = await home.store.operations.start("default", "ResumeLiveStream", 0.01, [gone])
    assert started is None
    both = StartScope("second", ("stream s1",), ("default", "second"))
    elsewhere = replace(move, guards=Guards(start_scope=both))
    ((_, started),) = await home.store.operations.start(
        "default", "ResumeLiveStream", 0.01, [elsewhere]
    )
    assert started is not None, "a hold is one account's"


async def test_hold_denies_a_start_after_its_policy_decision(home: House) -> None:
    """A start is denied when a hold is placed between its policy decision and its call."""
    gate = asyncio.Event()
    verdict = home.authorizer.verdict

    async def slow(operation: Operation, command: Command) -> Any:
        found = await verdict(operation, command)
        if operation.api == "ResumeLiveStream" and not gate.is_set():
            gate.set()
            await home.run("hold live s1 reason=legal")
        return found

    home.authorizer.verdict = slow  # type: ignore[method-assign] # held up between two steps
    ran = await home.run("live s1", verb=Effect.START)

    assert ran.state is State.DENIED
    assert "legal" in ran.detail
    assert "ResumeLiveStream" not in {c.action.api for c in home.cloud.sent}


async def test_hold_accepts_one_of_two_concurrent_requests(home: House) -> None:
    """Of two concurrent holds on a stream, one is accepted and the other is already done."""
    home.policy(POLICY.replace(", approval: confirm", ""))
    one, two = await asyncio.gather(
        home.run("hold live s1 reason=one"), home.run("hold live s1 reason=two", BOB)
    )
    assert sorted(o.state for o in (one, two)) == [State.ACCEPTED, State.ALREADY]
    (held,) = await home.store.off_air.list_holds()
    assert held.state is State.ACCEPTED


async def test_hold_reason_hides_a_stream_key(home: House) -> None:
    """A stream key in a hold's reason is in no operation, reply or audit log record."""
    url = "rtmp://push.example.com/live/s?txSecret=5ECRE75ECRE7"
    held = await home.run(f"hold live s1 reason='pushed by {url}'", key="k1")
    refused = await home.run("live s1", verb=Effect.START)
    listed_ = off_air_messages.off_air_list(
        await home.service.queries.off_air(ALICE, Place("C0INC"))
    )
    again = await home.run("hold live s1 reason=x", BOB)
    with home.store.audit_log.records() as records:
        everything = f"{held}{refused.detail}{listed_}{again}{list(records)}"
    assert "5ECRE7" not in everything


async def test_hold_refuses_a_push_to_its_stream(home: House) -> None:
    """A start that would push to a held stream is denied, by push URL or by stream name."""
    await home.run("hold live s9 reason=legal")
    url = "pushurl=rtmp://push.example.com/live/s9?txSecret=5ECRE75ECRE7"
    assert (await home.run(f"car-url u1 {url}", verb=Effect.START)).state is State.DENIED
    other = url.replace("s9", "s8")
    assert (await home.run(f"car-url u1 {other}", verb=Effect.START)).state is State.ACCEPTED
    assert (await home.run("car s9", verb=Effect.START)).state is State.DENIED, "its stream"


async def test_hold_on_a_removed_account_is_released_on_another(
    home: House,
) -> None:
    """A hold on a removed account still denies starts and can be released on another account."""
    several = "accounts: {main: {}, europe: {secret_id: EU_ID, secret_key: EU_KEY}}\ndefaults:"
    on_all = POLICY.replace('["*"]', '["*"], accounts: ["*"]')
    on_all = on_all.replace('["*LiveStream"]', '["*LiveStream"], accounts: ["*"]')
    home.policy(on_all.replace("defaults:", several))
    held = await home.run("hold live s1 reason=legal account=europe")
    assert held.state is State.ACCEPTED
    home.policy(on_all.replace("defaults:", "accounts: {main: {}}\ndefaults:"))
    refused = await home.run("live s1", verb=Effect.START)
    assert "«/stopstream release stream s1 account=main»" in refused.detail
    assert (await home.run("release stream s1 account=main")).state is State.ACCEPTED
    assert await home.store.off_air.list_holds() == []
    assert (await home.run("live s1", verb=Effect.START, key="2")).state is State.ACCEPTED


async def test_dry_run_of_a_hold_sends_and_stores_nothing(home: House) -> None:
    """A dry run of a hold says that nothing would be sent, and no hold is stored."""
    reply = await home.ask("hold live s1 reason=x --dry-run")
    asked = Invocation("k", ALICE, Place("C0INC"), "")
    found = await home.service.dry_run(asked, reply.command)  # type: ignore[union-attr]
    assert "Nothing would leave" in dry_run_messages.dry_run_reply(found).text
    assert await home.store.off_air.list_holds() == []
