"""The whole program, from the outside: the real bot between the emulated Slack and cloud."""

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.cli.demo import AUDIT, DOMAIN, INCIDENTS, Sandbox, sandbox
from bot.cli.serve import Server
from bot.cli.settings import read_settings
from bot.cli.story import Story
from bot.errors import ConfigError
from bot.sandbox.slack.entities import Message
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.authentication import Key
from bot.sandbox.tencent.faults import Deaf, Fault
from bot.sandbox.tencent.server import CloudEmulator
from handlers.manifest import bot_scopes
from tests.support.processes import Process
from tests.support.waiting import BOUND, until


@pytest.fixture(params=["socket", "http"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with sandbox(tmp_path, socket=request.param == "socket", limits=False) as built:
        yield built


@pytest.fixture
async def http_world(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with sandbox(tmp_path, socket=False, limits=False) as built:
        yield built


async def card_and_ending(world: Sandbox, after: int = 0) -> tuple[Message, Message]:
    channel = world.slack.channels[INCIDENTS]
    roots = await world.slack.wait_for(lambda: [m for m in channel.roots if m.bot_id][after:])
    thread = await world.slack.wait_for(lambda: channel.thread(roots[0].ts))
    return roots[0], thread[0]


async def test_demo_story_succeeds(world: Sandbox) -> None:
    """The demo's story runs to its end over Socket Mode and over HTTP."""
    assert await Story(world).tell() == 0


async def test_mention_in_thread_is_answered_in_thread(world: Sandbox) -> None:
    """A mention in a thread gets its card and result in that thread."""
    alice = world.slack.person("U0ALICE")
    root = world.slack.say(INCIDENTS, "U0BOB", "the alert")
    await alice.mention("stop live stream1", INCIDENTS, thread_ts=root.ts)

    channel = world.slack.channels[INCIDENTS]
    thread = await world.slack.wait_for(
        lambda: found if len(found := [m for m in channel.thread(root.ts) if m.bot_id]) > 1 else 0
    )

    assert world.cloud.received[-1].request_id in thread[1].text
    assert [m for m in channel.roots if m.bot_id] == []


async def test_slack_redelivery_runs_command_once(http_world: Sandbox) -> None:
    """A slash command that Slack delivers many times runs once and posts one card."""
    slack = http_world.slack
    payload = {
        "command": "/stopstream",
        "text": "live stream1",
        "user_id": "U0ALICE",
        "team_id": slack.team,
        "channel_id": INCIDENTS,
        "trigger_id": "once",
        "response_url": slack.reply_url("U0ALICE", INCIDENTS),
    }
    acks = await asyncio.gather(*(slack.delivery.deliver("command", payload) for _ in range(20)))
    await card_and_ending(http_world)

    assert not [ack.error for ack in acks if ack.error]
    assert len(http_world.cloud.ran("DropLiveStream")) == 1
    assert len([m for m in slack.channels[INCIDENTS].roots if m.bot_id]) == 1


async def test_form_submission_runs_command(world: Sandbox) -> None:
    """The form can be opened, filled in and submitted, and its command runs."""
    alice = world.slack.person("U0ALICE")
    await alice.slash("/stopstream", "")
    view = await alice.modal()

    values: dict[str, dict[str, Any]] = {}
    for block in view["blocks"]:
        element = block.get("element") or block.get("accessory") or {}
        if element.get("type") == "plain_text_input":
            word = block["block_id"]
            known = {"StreamName": "stream1", "DomainName": DOMAIN, "AppName": "live"}
            text = next((v for k, v in known.items() if k in word or k.lower() in word.lower()), "")
            values[word] = {element["action_id"]: {"type": "plain_text_input", "value": text}}
        elif element.get("type") == "static_select":
            values[block["block_id"]] = {
                element["action_id"]: {
                    "type": "static_select",
                    "selected_option": element.get("initial_option"),
                }
            }
    ack = await alice.submit(values)
    assert not ack.error
    assert ack.body.get("response_action") in (None, "clear"), ack.body

    _, ending = await card_and_ending(world)
    assert world.cloud.received[-1].request_id in ending.text


async def test_home_tab_publishes_view_when_opened(world: Sandbox) -> None:
    """Opening the app's home tab publishes a home view."""
    home = await world.slack.person("U0ALICE").open_home()
    assert home["type"] == "home"


@pytest.mark.parametrize("user", ["U0GUEST", "U0MALLORY", "U0DEAD", "U0BOT", "U0FOREIGN"])
async def test_policy_denies_ineligible_users_end_to_end(tmp_path: Path, user: str) -> None:
    """Ineligible users are denied and nothing is sent, even if the policy allows everything."""
    allow_all = """
roles:
  all:
    members:
      users: [U0GUEST, U0DEAD, U0BOT, U0FOREIGN]
      usergroups: [S0ONCALL]
    allow: [{actions: ["*"]}]
defaults: {live: {DomainName: push.example.com}}
"""
    async with sandbox(tmp_path, policy=allow_all, limits=False) as world:
        slack = world.slack
        slack.user("U0DEAD", "dead", deleted=True)
        slack.user("U0BOT", "bot", is_bot=True)
        slack.user("U0FOREIGN", "foreign", team_id="T0OTHER", is_stranger=True)
        slack.channels[INCIDENTS].members |= set(slack.users)
        await slack.person(user).slash("/stopstream", "live stream1", INCIDENTS)
        seen = await slack.wait_for(
            lambda: [m for m in slack.ephemerals(user) if "Nothing was sent" in m.text]
        )

    assert "Denied" in seen[0].text
    assert list(world.cloud.received) == []


async def test_policy_reload_keeps_old_policy_if_invalid(
    http_world: Sandbox,
) -> None:
    """A changed policy is reloaded; an invalid one is reported and leaves the old in force."""
    world = http_world
    audit = world.slack.channels[AUDIT]
    good = world.policy.read_text()
    world.policy.write_text("roles: {oncall: {allow: [{actions: [Nonsense]}]}}")
    broken = await world.slack.wait_for(lambda: [m for m in audit.roots if "policy" in m.text])
    assert "Nonsense" in broken[0].text

    await world.slack.person("U0ALICE").slash("/stopstream", "live stream1")
    await card_and_ending(world)

    world.policy.write_text(good.replace("users: [U0ALICE]", "users: []"))
    async with asyncio.timeout(BOUND):
        number = 0
        while not any("Denied" in m.text for m in world.slack.ephemerals("U0ALICE")):
            number += 1
            await world.slack.person("U0ALICE").slash("/stopstream", f"live gone{number}")
            await asyncio.sleep(0.1)


async def test_policy_denies_command_outside_bot_channels(http_world: Sandbox) -> None:
    """A command in a channel without the bot is refused with a request to invite it."""
    slack = http_world.slack
    slack.channel("C0ELSE", "elsewhere", "U0BOB", bot=False)
    await slack.person("U0BOB").slash("/stopstream", "live stream1", "C0ELSE")

    seen = await slack.wait_for(
        lambda: [m for m in slack.ephemerals("U0BOB") if "Invite me" in m.text]
    )
    assert seen
    assert list(http_world.cloud.received) == []


async def test_messages_escape_markup_from_users_and_cloud(http_world: Sandbox) -> None:
    """Markup from users and cloud errors is escaped in every message."""
    world = http_world
    world.cloud.faults.persist(
        Fault(code="FailedOperation", message="<!channel> *boo* <https://evil.example|click>")
    )
    await world.slack.person("U0ALICE").slash(
        "/stopstream", "live '<!here>*x*_y_' app='@channel'", INCIDENTS
    )
    await card_and_ending(world)
    everything = json.dumps(
        [[m.text, m.blocks] for c in world.slack.channels.values() for m in c.messages if m.bot_id]
    )
    for markup in ("<!channel", "<!here", "<https://evil"):
        assert markup not in everything


async def test_health_endpoints_and_metrics_answer(world: Sandbox) -> None:
    """The health, readiness and metrics endpoints answer."""
    async with aiohttp.ClientSession() as session:
        for path, word in (("healthz", "alive"), ("readyz", "ready"), ("metrics", "stopstream_")):
            async with session.get(f"{world.bot.url}/{path}") as response:
                assert response.status == 200
                assert word in await response.text()


async def test_http_listener_survives_malformed_requests(
    http_world: Sandbox,
) -> None:
    """Malformed requests get no server error, unsigned ones get 401, and the bot stays ready."""
    world = http_world
    url = f"{world.bot.url}/slack/events"
    form = "application/x-www-form-urlencoded"
    bodies = [
        (b"", form),
        (b"\xff\xfe", form),
        (b"payload={", form),
        (b"payload=[]", form),
        (b"payload=null", form),
        (b"payload=%7B%22type%22%3A%22view_submission%22%7D", form),
        (b"payload=%7B%22type%22%3A%22view_submission%22%2C%22view%22%3A%7B%7D%7D", form),
        (b"payload=%7B%22type%22%3A%22block_actions%22%7D", form),
        (b"payload=%7B%22type%22%3A%22block_actions%22%2C%22actions%22%3A%5B%5D%7D", form),
        (b"command=/stopstream", form),
        (b"command=/nosuch&trigger_id=1&user_id=U1&team_id=T1&channel_id=C1", form),
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b"7", "application/json"),
        (b'{"type":"event_callback"}', "application/json"),
        (b'{"type":"event_callback","event":{}}', "application/json"),
        (b'{"type":"event_callback","event":{"type":"app_mention"}}', "application/json"),
        (b'{"type":"event_callback","event":{"type":"nosuch"}}', "application/json"),
        (b"[" * 50_000, "application/json"),
    ]
    async with aiohttp.ClientSession() as session:
        for raw, content_type in bodies:
            headers = {**world.slack.delivery.signed(raw), "Content-Type": content_type}
            async with session.post(url, data=raw, headers=headers) as response:
                assert response.status < 500, (raw[:80], response.status)
        for stamp, signature in (("abc", "v0=00"), ("", ""), ("9" * 30, "v0=é"), ("1", "x")):
            unsigned = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature}
            async with session.post(url, data=b"command=/x", headers=unsigned) as response:
                assert response.status == 401
        async with session.get(f"{world.bot.url}/readyz") as response:
            assert response.status == 200
    assert list(world.cloud.received) == []


# --- as a process ------------------------------------------------------------------


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[tuple[Process, Workspace, CloudEmulator]]:
    cloud = CloudEmulator(keys={"AKIDDEMODEMO": Key("demo")})
    cloud.resources.put("session", "user1")
    slack = Workspace(scopes=bot_scopes(), limits=False)
    slack.user("U0BOB", "bob")
    slack.channel(INCIDENTS, "incidents", "U0BOB")
    slack.channel(AUDIT, "audit")
    (tmp_path / "policy.yml").write_text(
        "defaults: {live: {DomainName: push.example.com}}\n"
        "roles:\n"
        "  leads: {members: {users: [U0BOB]}, allow: [{actions: ['*']}]}\n"
        "  grouped: {members: {usergroups: [S0LEADS]}, allow: [{actions: ['*']}]}\n"
    )
    async with cloud, slack:
        yield Process(tmp_path, slack, cloud), slack, cloud


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


async def test_cli_commands_run_end_to_end(
    process: tuple[Process, Workspace, CloudEmulator],
) -> None:
    """The terminal commands run, off, policy explain, audit and check work end to end."""
    program, slack, cloud = process
    cloud.resources.put("stream", "stream1", "push.example.com", "live")
    code, out, err = await program.run("run", "live stream1", "--actor", "U0BOB", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["ending"] == "accepted"
    assert found["request_id"] == cloud.ran("DropLiveStream")[-1].request_id

    # It is not live any more, and a busy machine may be too slow to read that in time.
    again = ("run", "live stream1", "--actor", "U0BOB")
    code, out, _ = await program.run(*again)
    assert code == int("nothing was live as stream1" in out), out
    code, out, _ = await program.run(*again, "--allow-nothing-live")
    assert code == 0, out

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
    assert "allowed by roles.grouped.allow[0]" in out
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
    assert "holds" in out
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
    assert "You let this through" in err

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


async def test_serve_reports_listen_address_in_use(http_world: Sandbox, tmp_path: Path) -> None:
    """A listen address that is in use is reported as a configuration error."""
    port = http_world.bot.url.rpartition(":")[2]
    settings = read_settings(
        SLACK_BOT_TOKEN="xoxb-x",
        STOPSTREAM_POLICY=str(http_world.policy),
        STOPSTREAM_DATABASE_URL=f"sqlite:///{tmp_path / 'other.db'}",
        STOPSTREAM_LISTEN=f"127.0.0.1:{port}",
    )
    with pytest.raises(ConfigError, match="STOPSTREAM_LISTEN"):
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(Server(settings))
