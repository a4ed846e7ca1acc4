"""Evidence before a ban, with the whole program: killed in between, and with its picture."""

import asyncio
import io
import signal
import tarfile
from pathlib import Path

import pytest

from bot.cli.demo import DOMAIN, INCIDENTS
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.callbacks import DEMO_KEY
from bot.sandbox.tencent.callbacks import PATH as CALLBACKS
from bot.sandbox.tencent.flagged import SNAPSHOT, picture
from bot.sandbox.tencent.server import CloudEmulator
from tests.support.ports import free_port
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
        lambda: [m for m in channel.messages if m.thread_ts and "Snapshot requested" in m.text]
    )
    second.send_signal(signal.SIGTERM)
    _, err = await second.communicate()

    assert len(cloud.ran(BAN)) == 1
    assert second.returncode == 0, err.decode()


async def test_picture_of_a_ban_goes_from_the_bucket_into_the_bundle(
    process: tuple[Process, Workspace, CloudEmulator], tmp_path: Path
) -> None:
    """The callback's picture is on the trail by its hash, and `audit bundle` has it by the link."""
    program, slack, cloud = process
    (tmp_path / "policy.yml").write_text(POLICY)
    cloud.resources.put("stream", "cam-1", DOMAIN, "live")
    cloud.callbacks.delivery.snapshot_after = 0.2
    port = free_port()
    cloud.callbacks.url = f"http://127.0.0.1:{port}{CALLBACKS}"
    env = {
        "STOPSTREAM_LISTEN": f"127.0.0.1:{port}",
        "STOPSTREAM_LIVE_CALLBACK_KEY": DEMO_KEY,
        "STOPSTREAM_PICTURE_HOSTS": "127.0.0.1",
    }
    serving = await program.start("serve", env=env)
    await until(lambda: slack.delivery.sockets)
    await slack.person("U0BOB").slash("/stopstream", "ban cam-1", INCIDENTS)

    def taken() -> list[int]:
        return [one.status for one in cloud.callbacks.sent if one.event_type == SNAPSHOT]

    assert await until(taken) == [200]
    # The picture may be there before the card is.
    (root,) = await until(lambda: slack.channels[INCIDENTS].roots)
    serving.send_signal(signal.SIGTERM)
    await serving.communicate()
    link = f"https://acme.slack.com/archives/{INCIDENTS}/p{root.ts.replace('.', '')}"
    file = tmp_path / "case.tar.gz"
    code, said, wrong = await program.run("audit", "bundle", link, "--out", str(file), env=env)

    assert code == 0, wrong
    with tarfile.open(fileobj=io.BytesIO(await asyncio.to_thread(file.read_bytes))) as archive:
        (name,) = [one for one in archive.getnames() if "/pictures/" in one]
        content = archive.extractfile(name)
        assert content is not None
        assert content.read() == picture()
    assert "records up to the seal" in said
