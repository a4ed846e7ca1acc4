"""The whole program in a process of its own: recovery, command line and exit codes."""

import json
import signal
from pathlib import Path

from bot.cli.demo import INCIDENTS
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.faults import Deaf
from bot.sandbox.tencent.server import CloudEmulator
from tests.support.processes import Process
from tests.support.waiting import until


async def test_recovery_after_sigkill_reports_unknown_operation(
    process: tuple[Process, Workspace, CloudEmulator],
) -> None:
    """A start in flight at SIGKILL is reported as unknown by the next process, not resent."""
    program, slack, cloud = process
    cloud.faults.add(Deaf)
    first = await program.start("serve")
    await until(lambda: slack.delivery.sockets)
    await slack.person("U0BOB").slash("/startstream", "car user1")
    await until(cloud.ran)
    first.send_signal(signal.SIGKILL)
    await first.communicate()

    second = await program.start("serve")
    channel = slack.channels[INCIDENTS]
    said = await slack.wait_for(
        lambda: [m for m in channel.messages if m.thread_ts and "nknown" in m.text]
    )
    second.send_signal(signal.SIGTERM)
    _, err = await second.communicate()

    assert "may have run" in said[0].text
    assert len(cloud.ran("StartPublishStream")) == 1, "it is not silently sent again"
    assert second.returncode == 0, err.decode()


async def test_cli_run_as_a_shell_starts_it(
    process: tuple[Process, Workspace, CloudEmulator],
) -> None:
    """A stop from a terminal prints its ending and its request id as JSON."""
    program, _, cloud = process
    cloud.resources.put("stream", "stream1", "push.example.com", "live")
    typed = await program.start("run", "live stream1", "--actor", "U0BOB", "--json")
    out, err = await typed.communicate()
    assert typed.returncode == 0, err
    found = json.loads(out)
    assert found["ending"] == "accepted"
    assert found["request_id"] == cloud.ran("DropLiveStream")[-1].request_id


async def test_cli_commands_run_end_to_end(
    process: tuple[Process, Workspace, CloudEmulator],
) -> None:
    """The terminal commands run, off, policy explain, audit and check work end to end."""
    program, slack, cloud = process
    cloud.resources.put("stream", "stream1", "push.example.com", "live")
    code, out, err = await program.run("run", "live stream1", "--actor", "U0BOB")
    assert code == 0, err
    assert out.startswith("accepted: DropLiveStream")

    # It is not live any more, and a busy machine may be too slow to read that in time.
    again = ("run", "live stream1", "--actor", "U0BOB")
    code, out, _ = await program.run(*again)
    assert code == int("nothing was live as stream1" in out), out
    code, out, _ = await program.run(*again, "--allow-nothing-live")
    assert code == 0, out

    cloud.resources.put("stream", "cam-7", "push.example.com", "live")
    code, out, _ = await program.run("run", "ban cam7 --dry-run", "--actor", "U0BOB")
    assert "approval: confirm\nnothing is live as cam7\nlive now: cam-7\n" in out
    code, out, _ = await program.run("run", "live stream1", "--actor", "U0NOBODY")
    assert (code, out.partition(":")[0]) == (1, "denied")
    code, _, err = await program.run("run", "lvie stream1", "--actor", "U0BOB")
    assert code == 2
    assert "^^^^" in err

    code, out, _ = await program.run("run", "start car user1", "--actor", "U0BOB")
    assert code == 0
    assert out.startswith("accepted: StartPublishStream")

    code, out, err = await program.run("run", "hold live s2 reason=legal", "--actor", "U0BOB")
    assert code == 0, err
    code, out, _ = await program.run("off")
    assert code == 0
    assert [line.split()[1] for line in out.splitlines()] == ["off", "held"]
    assert "DropLiveStream" in out

    slack.groups["S0LEADS"] = {"U0CAROL"}
    slack.user("U0CAROL", "carol")
    code, out, _ = await program.run("policy", "explain", "--user", "U0CAROL", "live x")
    assert code == 0, out
    assert "is one of the account's)\nallowed by roles.grouped.allow[0]" in out
    code, out, _ = await program.run("policy", "explain", "--user", "U0BOB", "/startstream car u")
    assert "StartPublishStream" in out

    slack.faults.down = True
    cloud.resources.put("stream", "stream1", "push.example.com", "live")
    code, out, err = await program.run("run", "live stream1", "--actor", "U0BOB")
    assert code == 0, err
    assert "listed" in err or "lists" in err
    slack.faults.down = False

    code, out, _ = await program.run("audit", "verify")
    assert code == 0
    assert "records verified" in out
    code, out, _ = await program.run("audit", "export", "--format", "csv")
    assert out.startswith("seq,at,kind")
    code, out, _ = await program.run("check")
    assert code == 0, out


async def test_cli_lists_and_decides_waiting_operations(
    process: tuple[Process, Workspace, CloudEmulator], tmp_path: Path
) -> None:
    """Waiting operations can be listed and decided from the terminal under the same policy."""
    program, slack, cloud = process
    slack.user("U0ALICE", "alice")
    (tmp_path / "policy.yml").write_text(
        "defaults: {live: {DomainName: push.example.com}}\n"
        "roles:\n"
        "  oncall: {members: {users: [U0ALICE]}, allow: [{actions: ['*'],"
        " approval: second-person, approvers: [leads], break_glass: true}]}\n"
        "  leads: {members: {users: [U0BOB]}, allow: [{actions: ['*'], approval: confirm}]}\n"
    )

    async def asked(stream: str, actor: str) -> str:
        code, out, err = await program.run("run", f"live {stream}", "--actor", actor, "--json")
        found = json.loads(out)
        assert (code, found["ending"]) == (1, "waiting"), err
        return str(found["id"])

    first = await asked("stream1", "U0ALICE")
    code, out, _ = await program.run("pending")
    assert code == 0
    assert first in out
    assert "waits for 1 of leads" in out

    code, _, err = await program.run("decide", first, "approve", "--actor", "U0ALICE")
    assert code == 1
    assert "somebody else" in err
    slack.faults.down = True
    code, out, err = await program.run("decide", first, "approve", "--actor", "U0BOB")
    slack.faults.down = False
    assert code == 0, err
    assert out.startswith("accepted: DropLiveStream")
    code, _, err = await program.run("decide", first, "deny", "--actor", "U0BOB")
    assert code == 1
    assert "You already decided this" in err

    second = await asked("stream2", "U0ALICE")
    code, out, _ = await program.run(
        "decide", second, "deny", "--actor", "U0BOB", "--reason", "not now"
    )
    assert (code, out.partition(":")[0]) == (0, "denied")
    third = await asked("stream3", "U0BOB")
    code, out, _ = await program.run("decide", third, "approve", "--actor", "U0BOB")
    assert (code, out.partition(":")[0]) == (0, "accepted")
    fourth = await asked("stream4", "U0ALICE")
    glass = ("decide", fourth, "approve", "--actor", "U0ALICE", "--emergency", "--reason", "fire")
    code, out, _ = await program.run(*glass)
    assert (code, out.partition(":")[0]) == (0, "accepted")
    assert len(cloud.ran("DropLiveStream")) == 3
    code, out, _ = await program.run("pending")
    assert (code, out) == (0, "")


async def test_serve_exits_2_with_readable_configuration_errors(
    process: tuple[Process, Workspace, CloudEmulator], tmp_path: Path
) -> None:
    """A configuration error prints readable lines without secrets and exits with status 2."""
    program, _, _ = process
    broken = tmp_path / "broken.yml"
    broken.write_text("roles: {a: {allow: [{actions: [Nonsense]}]}}")
    for wrong in (
        {"SLACK_BOT_TOKEN": ""},
        {"SLACK_BOT_TOKEN": "xoxb-wrong"},
        {"SLACK_APP_TOKEN": "xapp-wrong"},
        {"STOPSTREAM_POLICY": str(broken)},
        {"STOPSTREAM_POLICY": str(tmp_path / "absent.yml")},
        {"STOPSTREAM_DATABASE_URL": "mysql://root:5ECRE7@localhost/x"},
        {"STOPSTREAM_LISTEN": "nowhere"},
        {"TENCENTCLOUD_SECRET_KEY": ""},
    ):
        code, _, err = await program.run("serve", env=wrong)
        assert code == 2, (wrong, err)
        problems = [line for line in err.splitlines() if line.startswith("stopstream: ")]
        assert problems, err
        assert "Traceback" not in err
        assert "5ECRE7" not in err
