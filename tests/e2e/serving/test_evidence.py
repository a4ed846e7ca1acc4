"""Evidence before a ban, with the whole program: killed in between, and with its picture."""

import signal
from pathlib import Path

import pytest

from bot.cli.demo import DOMAIN, INCIDENTS
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.server import CloudEmulator
from tests.support.processes import Process
from tests.support.waiting import until
from tests.trials.evidence import BAN, DIES_ON_ANSWER, DIES_ON_RECORD, POLICY, TASK


@pytest.mark.parametrize("hook", [DIES_ON_ANSWER, DIES_ON_RECORD])
async def test_kill_between_snapshot_and_ban_leaves_one_ban(
    process: tuple[Process, Workspace, CloudEmulator], tmp_path: Path, hook: str
) -> None:
    """A process that is killed on its snapshot's answer has sent no ban; the next sends one."""
    program, slack, cloud = process
    (tmp_path / "policy.yml").write_text(POLICY)
    cloud.resources.put("stream", "cam-1", DOMAIN, "live")
    first = await program.start("serve", before=hook)
    await until(lambda: slack.delivery.sockets)
    await slack.person("U0BOB").slash("/stopstream", "ban cam-1", INCIDENTS)
    await first.communicate()
    assert first.returncode == -signal.SIGKILL
    assert len(cloud.ran(TASK)) == 1
    assert cloud.ran(BAN) == []

    second = await program.start("serve")
    channel = slack.channels[INCIDENTS]
    await slack.wait_for(
        lambda: [m for m in channel.messages if m.thread_ts and "Snapshot asked for" in m.text]
    )
    second.send_signal(signal.SIGTERM)
    _, err = await second.communicate()

    assert len(cloud.ran(BAN)) == 1
    assert second.returncode == 0, err.decode()
