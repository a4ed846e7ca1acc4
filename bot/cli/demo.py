"""`stopstream demo`: the real bot between an emulated Slack and an emulated Tencent Cloud."""

import asyncio
import contextlib
import re
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot import telemetry
from bot.cli.serve import Server
from bot.cli.settings import read_settings
from bot.model.actions import Json
from bot.sandbox.page.server import Page
from bot.sandbox.slack.entities import Message
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.authentication import Key
from bot.sandbox.tencent.faults import Fault
from bot.sandbox.tencent.requests import Received
from bot.sandbox.tencent.server import CloudEmulator
from handlers.manifest import bot_scopes

DOMAIN = "5000.livepush.myqcloud.com"
INCIDENTS, AUDIT = "C0INC", "C0AUDIT"

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
    """The world around the bot, and the settings with which the bot finds it."""

    slack: Workspace
    cloud: CloudEmulator
    policy: Path
    environment: Mapping[str, str]


@dataclass
class Sandbox:
    """Everything the demo consists of."""

    slack: Workspace
    cloud: CloudEmulator
    bot: Server
    policy: Path


@contextlib.asynccontextmanager
async def emulated(
    folder: Path,
    *,
    policy: str = POLICY,
    socket: bool = True,
    limits: bool = True,
    database: str = "",
) -> AsyncIterator[Emulated]:
    """Build the two emulators and the policy file in a folder.

    Args:
        socket: Socket Mode, otherwise signed HTTP.
        limits: Whether Slack's rates are limited.
        database: The address of one; empty for a file in the folder.
    """
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
    cloud.resources.put("domain", DOMAIN)
    slack = Workspace(scopes=bot_scopes(), limits=limits)
    for id_, name in (("U0ALICE", "alice"), ("U0BOB", "bob"), ("U0MALLORY", "mallory")):
        slack.user(id_, name)
    slack.user("U0AUDRY", "audrey")
    slack.user("U0GUEST", "gus", is_restricted=True)
    slack.user("U0FRANK", "frank", team_id="T0OTHER", is_stranger=True)
    slack.groups["S0ONCALL"] = {"U0GUEST"}
    slack.channel(INCIDENTS, "incidents", *slack.users)
    slack.channel(AUDIT, "audit", "U0BOB", "U0AUDRY")
    file = folder / "policy.yml"
    file.write_text(policy)
    async with cloud, slack:
        environment = {
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_APP_TOKEN": slack.app_token if socket else "",
            "SLACK_SIGNING_SECRET": slack.signing_secret,
            "SLACK_API_URL": slack.api_url,
            "TENCENTCLOUD_SECRET_ID": "AKIDDEMODEMO",
            "TENCENTCLOUD_SECRET_KEY": "demo-secret-key",
            "TENCENTCLOUD_TOKEN": "",
            "STOPSTREAM_TENCENT_URL": cloud.url,
            "STOPSTREAM_TENCENT_SITE": "",
            "STOPSTREAM_POLICY": str(file),
            "STOPSTREAM_DATABASE_URL": database or f"sqlite:///{folder / 'stopstream.db'}",
            "STOPSTREAM_AUDIT_CHANNEL": AUDIT,
            "STOPSTREAM_LISTEN": "127.0.0.1:0",
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
    """Build the emulators, and between them the bot as `serve` builds it, all in one process."""
    async with (
        emulated(folder, policy=policy, socket=socket, limits=limits, database=database) as world,
        Server(read_settings(**world.environment)) as bot,
    ):
        if not socket:
            world.slack.delivery.request_url = f"{bot.url}/slack/events"
        yield Sandbox(world.slack, world.cloud, bot, world.policy)


@contextlib.asynccontextmanager
async def paged(
    folder: Path, *, policy: str = POLICY, limits: bool = True
) -> AsyncIterator[tuple[Emulated, Page]]:
    """Build the emulators with their page, and the bot in a process of its own."""
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


async def demo(*, once: bool) -> int:
    """Tell the story once, or keep the sandbox running until stopped; give the exit code."""
    telemetry.configure("console", level="ERROR" if once else "INFO")
    with tempfile.TemporaryDirectory(prefix="stopstream-demo-") as folder:
        if once:
            async with sandbox(Path(folder)) as world:
                return await Story(world).tell()
        async with paged(Path(folder)) as (around, page):
            _print_addresses(around, page)
            await _until_stopped()
    return 0


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


def say(*lines: str) -> None:
    """Print lines."""
    print("\n".join(lines), flush=True)  # noqa: T201 (a terminal)


class Story:
    """One story from end to end; every step is checked against what must be so."""

    def __init__(self, world: Sandbox) -> None:
        self._world = world
        self._slack = world.slack
        self._failed: list[str] = []

    async def tell(self) -> int:
        """Tell it; 0 if every step went as it must."""
        say("The real bot, between an emulated Slack workspace and an emulated Tencent Cloud.")
        await self._stop()
        await self._deny()
        await self._mistake()
        await self._came_back()
        await self._confirm()
        await self._approve()
        await self._explain()
        await self._already()
        await self._trail()
        if self._failed:
            say("", "It did not go as it must:", *(f"  - {one}" for one in self._failed))
            return 1
        say("", "Every step went as it must.")
        return 0

    async def _stop(self) -> None:
        say("", "1. An on-call engineer stops a stream.")
        ending = await self._run("U0ALICE", "/stopstream", "live stream1")
        request = self._world.cloud.received[-1]
        self._must(request.api == "DropLiveStream" and request.ran, "the stream was cut once")
        self._must(request.request_id in ending, "the RequestId stands in the thread")
        self._must("ban stream1" in ending, "the thread says what keeps the stream off")

    async def _deny(self) -> None:
        say("", "2. Someone without a role is refused, and nothing is sent.")
        before = len(self._world.cloud.received)
        await self._type("U0MALLORY", "/stopstream", "live stream1")
        seen = await self._alone("U0MALLORY", "Denied")
        self._must("oncall" in seen, "the refusal says who could do it")
        self._must(len(self._world.cloud.received) == before, "nothing reached Tencent Cloud")

    async def _mistake(self) -> None:
        say("", "3. A typing mistake is shown where it is.")
        seen = await self._type("U0ALICE", "/stopstream", "lvie stream1")
        self._must("live" in seen, "the right word is suggested")

    async def _confirm(self) -> None:
        say("", "5. A ban wants a confirmation; only the asker can give it.")
        card = await self._ask("U0ALICE", "/stopstream", "ban stream2 for=1h")
        before = len(self._sent())
        await self._press("U0MALLORY", "Confirm", card)
        await self._alone("U0MALLORY", "Only")
        self._must(len(self._sent()) == before, "somebody else's press sends nothing")
        self._must("recording-1" in card.text, "the card says that the stream is being recorded")
        await self._press("U0ALICE", "Confirm", card)
        ending = await self._ending(card)
        self._must("Accepted" in ending and len(self._sent()) == before + 1, "it ran once")
        self._must(not card.buttons(), "a decided card has no buttons")

    async def _approve(self) -> None:
        say("", "6. A whole domain wants a second person.")
        card = await self._ask("U0ALICE", "/stopstream", f"domain {DOMAIN}")
        before = len(self._sent())
        await self._press("U0ALICE", "Approve", card)
        await self._alone("U0ALICE", "somebody else")
        self._must(len(self._sent()) == before, "the asker cannot approve their own")
        await self._press("U0BOB", "Approve", card)
        ending = await self._ending(card)
        self._must("Accepted" in ending and len(self._sent()) == before + 1, "it ran once")
        self._must("U0BOB" in card.text, "the card says who approved it")

    async def _explain(self) -> None:
        say("", "7. An error code comes back explained.")
        self._world.cloud.faults.add(Fault(code="ResourceNotFound.StopService"))
        ending = await self._run("U0ALICE", "/stopstream", "live stream2")
        self._must("ResourceNotFound.StopService" in ending, "the code stands in the thread")
        self._must("unpaid" in ending, "and what it means")

    async def _already(self) -> None:
        say("", "8. What is over already is not an error.")
        await self._run("U0ALICE", "/stopstream", "ingest task-1")
        ending = await self._run("U0ALICE", "/stopstream", "ingest task-1")
        self._must("lready" in ending, "the second stop says that it was over")

    async def _came_back(self) -> None:
        say("", "4. A moment after a stop the bot looks whether it has held.")
        channel = self._slack.channels[INCIDENTS]
        first = channel.roots[0]
        seen: Sequence[Message] = await self._slack.wait_for(
            lambda: [m for m in channel.thread(first.ts) if "It is back" in m.text], timeout=30
        )
        self._show("   thread", seen[0])
        self._must("Keep it off" in seen[0].buttons(), "an encoder that came back can be kept off")

    async def _trail(self) -> None:
        say("", "9. Every step is on the trail, and a line of each run in the audit channel.")
        audit = self._slack.channels[AUDIT]
        await self._slack.wait_for(lambda: len(audit.roots) >= 9, timeout=30)  # noqa: PLR2004
        for message in audit.roots:
            self._show("#audit", message)

    # --- showing ---------------------------------------------------------------------

    async def _type(self, user: str, command: str, text: str) -> str:
        name = self._slack.users[user].name
        say(f"   {name:>8}  {command} {text}")
        seen = await self._slack.person(user).slash(command, text, INCIDENTS)
        self._lines(f"only {name}", seen)
        return seen

    async def _ask(self, user: str, command: str, text: str) -> Message:
        """Type a command, and wait for its card."""
        channel = self._slack.channels[INCIDENTS]
        before = len(channel.roots)
        await self._type(user, command, text)
        cards: Sequence[Message] = await self._slack.wait_for(
            lambda: channel.roots[before:], timeout=30
        )
        return cards[0]

    async def _ending(self, card: Message) -> str:
        """Wait for the ending in a card's thread."""
        channel = self._slack.channels[INCIDENTS]
        thread: Sequence[Message] = await self._slack.wait_for(
            lambda: channel.thread(card.ts), timeout=30
        )
        self._show("#incidents", card)
        self._show("   thread", thread[0])
        return thread[0].text

    async def _run(self, user: str, command: str, text: str) -> str:
        """Type a command, and wait for the ending in its card's thread."""
        return await self._ending(await self._ask(user, command, text))

    async def _press(self, user: str, label: str, card: Message) -> None:
        await self._slack.wait_for(lambda: label in card.buttons(), timeout=30)
        self._show("#incidents", card)
        say(f"   {self._slack.users[user].name:>8}  presses {label}")
        await self._slack.person(user).press(label, card, INCIDENTS)

    def _sent(self) -> list[Received]:
        """Give what ran in the cloud besides reads."""
        return [one for one in self._world.cloud.ran() if not one.api.startswith("Describe")]

    async def _alone(self, user: str, words: str) -> str:
        """Wait for a message with these words that one person alone sees."""
        seen: Sequence[Message] = await self._slack.wait_for(
            lambda: [m for m in self._slack.ephemerals(user) if words in m.text], timeout=30
        )
        self._show(f"only {self._slack.users[user].name}", seen[-1])
        return seen[-1].text

    def _show(self, where: str, message: Message) -> None:
        self._lines(where, message.text)

    def _lines(self, where: str, text: str) -> None:
        first, *rest = self._named(text).splitlines() or [""]
        say(f"   {where:>12} | {first}", *(f"   {'':>12} | {line}" for line in rest))

    def _named(self, text: str) -> str:
        for user in self._slack.users.values():
            text = text.replace(f"<@{user.id}>", f"@{user.name}")
        for channel in self._slack.channels.values():
            text = text.replace(f"<#{channel.id}>", f"#{channel.name}")
        return re.sub(r"<!date\^[^|<>]*\|([^<>]*)>", r"\1", text)

    def _must(self, holds: bool, what: str) -> None:  # noqa: FBT001 (a check)
        say(f"   {'ok' if holds else 'FAILED':>12} - {what}")
        if not holds:
            self._failed.append(what)
