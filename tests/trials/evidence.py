"""A process is killed between the snapshot and the ban that it belongs to: the ban still leaves."""

import asyncio
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.cli.demo import AUDIT, DOMAIN, INCIDENTS
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.authentication import Key
from bot.sandbox.tencent.server import CloudEmulator
from handlers.manifest import bot_scopes
from tests.support.processes import Process
from tests.support.waiting import until

POLICY = f"""
defaults: {{live: {{DomainName: {DOMAIN}, Region: ap-guangzhou}}}}
evidence: [{{actions: ["Forbid*"], take: snapshot, template: 1234}}]
roles:
  oncall: {{members: {{users: [U0BOB]}}, allow: [{{actions: ["*"]}}]}}
"""
TASK, BAN = "CreateScreenshotTask", "ForbidLiveStream"

_DIES = """
import os, signal
from bot.operations import evidence
real = evidence.EvidenceTaker.{method}
async def dying(self, *given):
    found = await real(self, *given)
    os.kill(os.getpid(), signal.SIGKILL)
evidence.EvidenceTaker.{method} = dying
"""
DIES_ON_ANSWER, DIES_ON_RECORD = (_DIES.format(method=name) for name in ("_send", "_ask"))
"""Python that has a process kill itself once its snapshot is answered, or is on the trail."""

_SPREAD = 0.03
"""Seconds after the answer within which a process is killed from outside."""


@dataclass
class Killed:
    """What became of the bans.

    Attributes:
        before: How many bans took effect, each time that the process died before its ban had left.
        after: The same of those whose ban had left: it is sent again, because that is safe.
        waits: Seconds from the kill to the ban, where it came afterwards.
        lost: How many streams were not banned in the end.
    """

    before: list[int] = field(default_factory=list)
    after: list[int] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    lost: int = 0

    def lines(self) -> Iterator[str]:
        """Yield the results."""
        once = sum(count == 1 for count in self.before)
        yield (
            f"{len(self.before)} kills -9 between the snapshot's answer and the ban: {once} bans "
            f"took effect once, {len(self.before) - once} not once"
        )
        yield f"{len(self.after)} kills after the ban had left: {self.after} bans each"
        yield f"{self.lost} streams not banned"
        waits = sorted(self.waits) or [0.0]
        middle = waits[len(waits) // 2]
        yield f"from the kill to the ban: p50 {middle:.1f} s, most {waits[-1]:.1f} s"


async def kill_between(folder: Path, url: str, *, count: int, seed: int) -> Killed:
    """Kill one process after another: at the answer, at its record, and at some moment after."""
    found, dice = Killed(), random.Random(seed)  # noqa: S311 (the same kills each time)
    slack, cloud = _outside(folder)
    async with cloud, slack:
        program = Process(folder, slack, cloud)
        env = {"STOPSTREAM_DATABASE_URL": url}
        for number in range(count):
            hook = (DIES_ON_ANSWER, DIES_ON_RECORD, "")[number % 3]
            stream = f"cam-{number}"
            cloud.resources.put("stream", stream, DOMAIN, "live", since=time.time())
            already = len(cloud.ran(TASK))
            first = await program.start("serve", env=env, quiet=True, before=hook)
            await until(lambda: slack.delivery.sockets)
            await slack.person("U0BOB").slash("/stopstream", f"ban {stream}", INCIDENTS)
            await until(lambda: len(cloud.ran(TASK)) > already)  # noqa: B023 (awaited here)
            if not hook:
                await asyncio.sleep(dice.uniform(0.0, _SPREAD))
                first.kill()
            await first.wait()
            await _go_on(program, env, cloud, stream, found)
    return found


def _outside(folder: Path) -> tuple[Workspace, CloudEmulator]:
    slack = Workspace(scopes=bot_scopes(), limits=False)
    slack.user("U0BOB", "bob")
    slack.channel(INCIDENTS, "incidents", "U0BOB")
    slack.channel(AUDIT, "audit")
    (folder / "policy.yml").write_text(POLICY)
    return slack, CloudEmulator(keys={"AKIDDEMODEMO": Key("demo")})


async def _go_on(
    program: Process, env: dict[str, str], cloud: CloudEmulator, stream: str, found: Killed
) -> None:
    """Start the program again, wait for the ban, and count it."""
    died, sent = time.monotonic(), len(_bans(cloud, stream))
    second = await program.start("serve", env=env, quiet=True)
    try:
        await until(lambda: _bans(cloud, stream))
        if not sent:
            found.waits.append(time.monotonic() - died)
        # The operation of a ban that had left is taken over when its lease is over.
        await asyncio.sleep(15.0 if sent else 3.0)
        (found.after if sent else found.before).append(len(_bans(cloud, stream)))
        found.lost += cloud.resources.banned_until(stream) < time.time()
    finally:
        second.kill()
        await second.wait()


def _bans(cloud: CloudEmulator, stream: str) -> list[Any]:
    return [one for one in cloud.ran(BAN) if one.params.get("StreamName") == stream]
