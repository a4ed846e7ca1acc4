"""`stopstream run` as a shell starts it, when it is interrupted or its database fails."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.faults import Deaf, Fault, raw
from bot.sandbox.tencent.server import CloudEmulator
from tests.support.processes import Process
from tests.support.waiting import BOUND, until

STOP = ("run", "live stream1", "--actor", "U0BOB", "--allow-nothing-live")

PATIENT = f"from bot.cli import errand; errand.GRACE = {BOUND}"

ENDINGS_FAIL = """
from pathlib import Path
from bot.cli import errand
from bot.errors import StoreError
from bot.model.operations import State
from bot.storage.operations import Operations
errand.PATIENCE, errand.GRACE = 0.05, 0.1
apply = Operations.apply
async def full(self, transition):
    if transition.path[0] is State.RUNNING and not Path({free!r}).exists():
        raise StoreError("database or disk is full")
    return await apply(self, transition)
Operations.apply = full
"""
"""No ending can be stored before a file is there."""

SLACK_IS_SILENT = """
import asyncio, sys
from bot.cli import wiring
wiring._SLACK_PATIENCE = 3600.0
async def silent(_client):
    print("asks Slack", file=sys.stderr, flush=True)
    await asyncio.sleep(3600)
wiring.connect = silent
"""

INTENTS_FAIL = """
from bot.cli import errand
from bot.errors import StoreError
from bot.storage.operations import Operations
errand.PATIENCE, errand._LEFT = 0.05, 0.2
async def full(self, *_, **__):
    raise StoreError("database or disk is full")
Operations.start = full
"""


async def line_with(process: Any, words: str) -> str:
    """Return the next line on standard error that has some words."""
    async with asyncio.timeout(BOUND):
        while words not in (line := (await process.stderr.readline()).decode()):
            assert line, f"it ended without saying: {words}"
    return str(line)


async def ended(process: Any) -> tuple[int, str, str]:
    async with asyncio.timeout(BOUND):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_interrupted_run_prints_the_ending_that_comes_in_time(
    process: tuple[Process, Workspace, CloudEmulator], number: signal.Signals
) -> None:
    """A signal while the answer is on its way hides neither the outcome nor its exit code."""
    program, _, cloud = process
    answers = asyncio.Event()

    async def late(_request: web.Request, payload: bytes) -> web.StreamResponse:
        await answers.wait()
        return raw(payload)

    cloud.faults.add(Fault(after=late), api="DropLiveStream")
    running = await program.start(*STOP, before=PATIENT)
    await until(lambda: cloud.ran("DropLiveStream"))

    running.send_signal(number)
    await line_with(running, f"waiting up to {BOUND:g} s")
    answers.set()

    code, out, err = await ended(running)
    assert (code, out.partition(":")[0]) == (0, "accepted"), err


async def test_run_interrupted_twice_says_that_it_may_have_run(
    process: tuple[Process, Workspace, CloudEmulator],
) -> None:
    """Who does not wait for the answer is told what to look at, and no ending is made up."""
    program, _, cloud = process
    cloud.faults.add(Deaf, api="DropLiveStream")
    running = await program.start(*STOP, before=PATIENT)
    await until(lambda: cloud.ran("DropLiveStream"))

    running.send_signal(signal.SIGINT)
    await line_with(running, f"waiting up to {BOUND:g} s")
    running.send_signal(signal.SIGINT)

    code, out, err = await ended(running)
    assert (code, out) == (1, ""), err
    assert "may have run" in err
    _, listed, _ = await program.run("pending")
    assert f"stopstream audit show {listed.split()[0]}" in err


async def test_run_interrupted_before_it_asks_says_that_nothing_was_sent(
    process: tuple[Process, Workspace, CloudEmulator],
) -> None:
    """While Slack still has to say who the actor is, nothing is recorded and nothing leaves."""
    program, _, cloud = process
    running = await program.start(*STOP, before=SLACK_IS_SILENT)
    await line_with(running, "asks Slack")

    running.send_signal(signal.SIGINT)

    code, out, err = await ended(running)
    assert (code, out) == (1, ""), err
    assert "nothing was sent: it was interrupted" in err
    assert not cloud.received


async def test_run_tells_the_answer_that_cannot_be_recorded(
    process: tuple[Process, Workspace, CloudEmulator], tmp_path: Path
) -> None:
    """What Tencent Cloud took is said while the disk is full, and recorded once it is not."""
    program, _, cloud = process
    free = tmp_path / "free"
    running = await program.start(*STOP, before=ENDINGS_FAIL.format(free=str(free)))

    said = await line_with(running, "can't be recorded yet")

    assert f"accepted it (RequestId {cloud.ran('DropLiveStream')[-1].request_id})" in said
    assert f"{tmp_path / 'stopstream.db'}: database or disk is full" in said
    free.touch()
    code, out, err = await ended(running)
    assert (code, out.partition(":")[0]) == (0, "accepted"), err


async def test_run_interrupted_with_an_unrecorded_answer_repeats_it(
    process: tuple[Process, Workspace, CloudEmulator], tmp_path: Path
) -> None:
    """The RequestId is the last thing that is said: it is nowhere else."""
    program, _, cloud = process
    running = await program.start(*STOP, before=ENDINGS_FAIL.format(free=str(tmp_path / "free")))
    await line_with(running, "can't be recorded yet")

    running.send_signal(signal.SIGINT)

    code, _, err = await ended(running)
    assert code == 1
    last = err.splitlines()[-1]
    assert f"RequestId {cloud.ran('DropLiveStream')[-1].request_id}" in last
    assert "it is not recorded" in last


async def test_run_ends_where_nobody_works_on_it(
    process: tuple[Process, Workspace, CloudEmulator],
) -> None:
    """A request whose sending can't be recorded is not waited for without end, and not sent."""
    program, _, cloud = process
    running = await program.start(*STOP, "--json", before=INTENTS_FAIL)

    code, out, err = await ended(running)

    found = json.loads(out)
    assert (code, found["ending"]) == (1, "asked"), err
    assert f"operation {found['id']} is recorded and was not sent" in err
    assert cloud.ran("DropLiveStream") == []
