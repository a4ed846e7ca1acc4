"""`stopstream demo`: the real bot between an emulated Slack and an emulated Tencent Cloud."""

import asyncio
import contextlib
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot import telemetry
from bot.cli.output import DONE, say
from bot.cli.serve import Server
from bot.cli.settings import read_settings
from bot.model.actions import Json
from bot.sandbox.page.server import Page
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent import callbacks
from bot.sandbox.tencent.authentication import Key
from bot.sandbox.tencent.server import CloudEmulator
from handlers.manifest import bot_scopes

DOMAIN = "5000.livepush.myqcloud.com"
INCIDENTS, AUDIT = "C0INC", "C0AUDIT"

HOOK_SECRET = "demo-hook-secret"  # noqa: S105 (of the demo alone)

POLICY = f"""\
# The demo's policy: on-call may stop and resume, ban after a confirmation, and switch a domain
# off with a second person; leads may do everything; others nothing, but they may ask the leads.
defaults:
  live: {{DomainName: {DOMAIN}, AppName: live}}
  ingest: {{SdkAppId: 1400000000, Region: ap-singapore}}
targets:
  main-stage: live stream1 domain={DOMAIN}
roles:
  auditors:
    members: {{users: [U0AUDRY]}}
    allow:
      - actions: ["Describe*"]
  oncall:
    members: {{users: [U0ALICE], usergroups: [S0ONCALL]}}
    allow:
      - actions: [DropLiveStream, ResumeLiveStream, "Describe*", "Stop*", Hold, Release]
        channels: [{INCIDENTS}]
      - actions: [ForbidLiveStream]
        channels: [{INCIDENTS}]
        approval: confirm
      - actions: ["*LiveDomain", StartPublishStream]
        approval: second-person
        approvers: [leads]
        remind: 2m
        break_glass: true
  leads:
    members: {{users: [U0BOB]}}
    audit: true
    allow:
      - actions: ["*"]
        requests: true
"""


@dataclass
class Emulated:
    """The emulators around the bot, and the environment with which the bot finds them."""

    slack: Workspace
    cloud: CloudEmulator
    policy: Path
    environment: Mapping[str, str]


@dataclass
class Sandbox:
    """The emulators and the bot between them."""

    slack: Workspace
    cloud: CloudEmulator
    bot: Server
    policy: Path


def _cloud() -> CloudEmulator:
    """Return a cloud with something of each kind that can be stopped."""
    cloud = CloudEmulator(keys={"AKIDDEMODEMO": Key("demo-secret-key")})
    for name, returns in (("stream1", 2.0), ("stream2", None)):
        cloud.resources.put(
            "stream", name, DOMAIN, "live", returns_after=returns, since=cloud.now - 3600
        )
    cloud.resources.put("recording", "stream2", 42)
    recorded: dict[str, Json] = {"StreamName": "stream2", "DomainName": DOMAIN, "AppName": "live"}
    recorded |= {"StartTime": int(cloud.now) - 3600, "EndTime": int(cloud.now) + 7200}
    cloud.resources.put("record-task", "recording-1", params=recorded)
    cloud.resources.put("ingest", "task-1", 1400000000)
    cloud.resources.put("session", "user1")
    cloud.resources.put("domain", DOMAIN, params={"DomainType": 0})
    return cloud


def _workspace(*, limits: bool) -> Workspace:
    """Return a workspace with people of each role, guests and strangers."""
    slack = Workspace(scopes=bot_scopes(), limits=limits)
    for id_, name in (("U0ALICE", "alice"), ("U0BOB", "bob"), ("U0MALLORY", "mallory")):
        slack.user(id_, name)
    slack.user("U0AUDRY", "audrey")
    slack.user("U0GUEST", "gus", is_restricted=True)
    slack.user("U0FRANK", "frank", team_id="T0OTHER", is_stranger=True)
    slack.groups["S0ONCALL"] = {"U0GUEST"}
    slack.channel(INCIDENTS, "incidents", *slack.users)
    slack.channel(AUDIT, "audit", "U0BOB", "U0AUDRY")
    return slack


def _environment(slack: Workspace, cloud: CloudEmulator) -> dict[str, str]:
    return {
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_SIGNING_SECRET": slack.signing_secret,
        "SLACK_API_URL": slack.api_url,
        "TENCENTCLOUD_SECRET_ID": "AKIDDEMODEMO",
        "TENCENTCLOUD_SECRET_KEY": "demo-secret-key",
        "TENCENTCLOUD_TOKEN": "",
        "STOPSTREAM_TENCENT_URL": cloud.url,
        "STOPSTREAM_TENCENT_SITE": "",
        "STOPSTREAM_AUDIT_CHANNEL": AUDIT,
        "STOPSTREAM_LISTEN": "127.0.0.1:0",
        "STOPSTREAM_ALERTMANAGER_SECRET": HOOK_SECRET,
        "STOPSTREAM_PAGERDUTY_SECRET": HOOK_SECRET,
        "STOPSTREAM_GENERIC_SECRET": HOOK_SECRET,
        "STOPSTREAM_ALERT_CHANNEL": INCIDENTS,
        "STOPSTREAM_LIVE_CALLBACK_KEY": callbacks.DEMO_KEY,
        "STOPSTREAM_PICTURE_HOSTS": "127.0.0.1",
    }


@contextlib.asynccontextmanager
async def emulated(
    folder: Path,
    *,
    policy: str = POLICY,
    socket: bool = True,
    limits: bool = True,
    database: str = "",
) -> AsyncIterator[Emulated]:
    """Run the two emulators, and write the policy file into a folder.

    Args:
        socket: Socket Mode, otherwise signed HTTP.
        limits: Whether Slack's rates are limited.
        database: The address of one; empty for a file in the folder.
    """
    cloud, slack = _cloud(), _workspace(limits=limits)
    file = folder / "policy.yml"
    file.write_text(policy)
    async with cloud, slack:
        environment = _environment(slack, cloud) | {
            "SLACK_APP_TOKEN": slack.app_token if socket else "",
            "STOPSTREAM_POLICY": str(file),
            "STOPSTREAM_DATABASE_URL": database or f"sqlite:///{folder / 'stopstream.db'}",
        }
        yield Emulated(slack, cloud, file, environment)


@contextlib.asynccontextmanager
async def sandbox(
    folder: Path,
    *,
    policy: str = POLICY,
    socket: bool = True,
    limits: bool = True,
    database: str = "",
) -> AsyncIterator[Sandbox]:
    """Run the emulators and the bot, as `serve` builds it, in one process."""
    async with (
        emulated(folder, policy=policy, socket=socket, limits=limits, database=database) as world,
        Server(read_settings(**world.environment)) as bot,
    ):
        world.cloud.callbacks.url = bot.url + callbacks.PATH
        if not socket:
            delivery = world.slack.delivery
            delivery.request_url = delivery.options_url = f"{bot.url}/slack/events"
        yield Sandbox(world.slack, world.cloud, bot, world.policy)


@contextlib.asynccontextmanager
async def paged(
    folder: Path, *, policy: str = POLICY, limits: bool = True
) -> AsyncIterator[tuple[Emulated, Page]]:
    """Run the emulators with their page, and the bot in a process of its own."""
    async with emulated(folder, policy=policy, limits=limits) as world:
        page = Page(
            slack=world.slack,
            cloud=world.cloud,
            policy_file=world.policy,
            environment=world.environment,
        )
        async with page:
            await page.bot.start()
            yield world, page


async def demo() -> int:
    """Run the emulators, their page and the bot until stopped, and return the exit code."""
    telemetry.configure("console", level="INFO")
    with tempfile.TemporaryDirectory(prefix="stopstream-demo-") as folder:
        async with paged(Path(folder)) as (world, page):
            _print_addresses(world, page)
            await _until_stopped()
    return DONE


def _print_addresses(world: Emulated, page: Page) -> None:
    say(
        f"Open {page.url}/ in a browser: a workspace, a cloud, and the real bot between them.",
        "",
        f"  Slack's Web API    {world.slack.api_url}  (token {world.slack.bot_token})",
        f"  Tencent Cloud      {world.cloud.url}  (key AKIDDEMODEMO, demo-secret-key)",
        f"  the policy file    {world.policy}  (edit it there or in the page: it is read again)",
        "",
        "stopstream demo --once tells a whole story here. Stop this with Ctrl-C.",
    )


async def _until_stopped() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
