"""The bot that is attacked, between emulators, and the count of what was tried on it."""

import asyncio
import contextlib
import itertools
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.cli.demo import DOMAIN, INCIDENTS, Emulated, emulated
from bot.model.actions import Effect
from bot.sandbox.slack.entities import Message
from bot.sandbox.slack.events import Ack
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.server import CloudEmulator
from handlers.messages import views
from tests.bench.acks import until_ready
from tests.support.paths import ROOT
from tests.support.ports import free_port

VICTIM = "U0VICTIM"
"""Somebody whom no message of the bot's may mention."""

NOBODIES = ("U0MALLORY", "U0GUEST", "U0FRANK")
"""People who may do nothing: one without a role, a guest, one of another workspace."""

POLICY = f"""
defaults:
  live: {{DomainName: {DOMAIN}, AppName: live}}
  ingest: {{SdkAppId: 1400000000, Region: ap-singapore}}
targets: {{main-stage: live stream1}}
roles:
  oncall:
    members: {{users: [U0ALICE, U0CAROL]}}
    allow:
      - {{actions: [DropLiveStream, "Describe*"]}}
      - {{actions: [ForbidLiveStream], approval: second-person, approvers: [oncall, leads]}}
      - {{actions: [ResumeLiveStream], approval: confirm}}
  leads:
    members: {{users: [U0BOB]}}
    audit: true
    allow: [{{actions: ["*"], requests: true}}]
"""
"""Who asks for a ban may approve the bans of others, and never their own."""

_QUICK = "from bot.cli import wiring; wiring.build.__kwdefaults__['spacing'] = 0.02"
"""The messages of thousands of attacks would take an hour at Slack's one a second."""

_numbers = itertools.count()


@dataclass
class Attack:
    """What was tried in one way, and what got through."""

    name: str
    tried: int = 0
    through: list[str] = field(default_factory=list[str])

    def note(self, what: str, *, through: bool) -> None:
        """Count a try; `through` if it had an effect that it must not have."""
        self.tried += 1
        if through:
            self.through.append(what)

    def line(self) -> str:
        found = f"{self.name}: {self.tried:,} tried, {len(self.through):,} through"
        return "".join([found, *(f"\n    {one[:400]!r}" for one in self.through[:10])])


@dataclass
class Target:
    """A running bot between emulators.

    Attributes:
        url: Where it listens.
        environment: That it runs with; commands at a terminal get the same.
        log: The file of what it logs.
    """

    world: Emulated
    url: str
    environment: Mapping[str, str]
    process: asyncio.subprocess.Process
    log: Path

    def changes(self) -> int:
        """Return how many requests that would change something have reached the cloud."""
        return changes(self.world.cloud)

    def messages(self) -> list[Message]:
        """Return all messages of the bot, the private ones, too."""
        channels = self.world.slack.channels.values()
        return [one for channel in channels for one in channel.messages if one.bot_id]

    async def quiet(self, seconds: float = 2.0) -> None:
        """Wait until neither the cloud nor Slack has heard anything for a while."""
        seen, since = -1, time.monotonic()
        while time.monotonic() - since < seconds:
            now = len(self.world.cloud.received) + len(self.world.slack.calls)
            if now != seen:
                seen, since = now, time.monotonic()
            await asyncio.sleep(0.1)

    async def settled(self, found: Attack, before: int) -> None:
        """Count what an attack has changed at the cloud, and whether a stop still works after it.

        Args:
            before: As `changes` returned before the attack.
        """
        await self.quiet()
        left = self.changes() - before
        found.note(f"{left} requests left", through=left != 0)
        before = self.changes()
        ack = await self.type(f"live honest{next(_numbers)}", "U0ALICE")
        await self.quiet()
        worked = not ack.error and self.changes() == before + 1
        found.note(f"an honest stop does not work any more: {ack}", through=not worked)

    async def type(self, text: str, user: str, channel: str = INCIDENTS, **more: str) -> Ack:
        """Type a slash command."""
        payload = self.command(text, user, channel, **more)
        return await self.world.slack.delivery.deliver("command", payload)

    def command(
        self, text: str, user: str, channel: str = INCIDENTS, **more: str
    ) -> dict[str, str]:
        """Return a slash command as Slack sends it."""
        slack = self.world.slack
        person = {"user_id": user, "team_id": slack.users[user].team_id, "channel_id": channel}
        return {
            "command": "/stopstream",
            "text": text,
            **person,
            "trigger_id": slack.trigger(user),
            "response_url": slack.reply_url(user, INCIDENTS),
            **more,
        }

    def interaction(self, kind: str, user: str, team: str = "", **more: Any) -> dict[str, Any]:
        """Return a press, a form or a shortcut as Slack sends it."""
        slack = self.world.slack
        team = team or slack.team
        url = slack.reply_url(user, INCIDENTS) if user in slack.users else ""
        return {
            "type": kind,
            "user": {"id": user, "team_id": team},
            "team": {"id": team},
            "trigger_id": slack.trigger(user),
            "response_url": url,
            **more,
        }

    def mention(self, text: str, user: str, channel: str = INCIDENTS) -> dict[str, Any]:
        """Return a mention of the bot as Slack sends it."""
        slack = self.world.slack
        event = {
            "type": "app_mention",
            "user": user,
            "team": slack.users[user].team_id,
            "text": f"<@{slack.bot_user}> {text}",
            "ts": slack.timestamps.ts(),
            "channel": channel,
        }
        team = {"type": "event_callback", "team_id": slack.team}
        return {**team, "event_id": slack.timestamps.id("Ev"), "event": event}

    def form(
        self, values: Mapping[str, str], user: str, api: str = "DropLiveStream"
    ) -> dict[str, Any]:
        """Return the submission of the form, of parameters and what was typed."""
        place = views.encode_place(views.FormPlace(Effect.STOP, INCIDENTS))
        chosen = {"type": "static_select", "selected_option": {"value": api}}
        typed = {
            views.param_block(name): {views.VALUE: {"type": "plain_text_input", "value": value}}
            for name, value in values.items()
        }
        state = {"values": {views.ACTION_BLOCK: {views.CHOOSE_ACTION: chosen}, **typed}}
        return self.submission(views.FORM, user, private_metadata=place, state=state)

    def submission(self, callback_id: str, user: str, **more: Any) -> dict[str, Any]:
        """Return the submission of a view as Slack sends it."""
        view = {"type": "modal", "id": "V0", "callback_id": callback_id, "blocks": [], **more}
        return self.interaction("view_submission", user, view=view)

    async def terminal(self, *arguments: str, seconds: float = 60.0) -> tuple[int, str]:
        """Run a command at a terminal; return its exit code, -1 if it had to be killed."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", *arguments),
            cwd=ROOT,
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            out, _ = await asyncio.wait_for(process.communicate(), seconds)
        except TimeoutError:
            process.kill()
            await process.wait()
            return -1, f"no end within {seconds} s"
        return process.returncode or 0, out.decode(errors="replace")


@contextlib.asynccontextmanager
async def target(
    folder: Path,
    *,
    socket: bool,
    before: Callable[[Workspace], None] = lambda _slack: None,
    **settings: str,
) -> AsyncIterator[Target]:
    """Run the bot in Socket Mode, with a log of JSON, or over HTTP, with one for a terminal.

    Args:
        before: Called before the bot starts.
        settings: Take the place of the emulators' own.
    """
    await asyncio.to_thread(folder.mkdir, parents=True)
    async with emulated(folder, policy=POLICY, socket=socket, limits=False) as world:
        for user, name in (("U0CAROL", "carol"), (VICTIM, "victim")):
            world.slack.user(user, name)
            world.slack.channels[INCIDENTS].members.add(user)
        before(world.slack)
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        chosen = {
            "STOPSTREAM_LISTEN": f"127.0.0.1:{port}",
            "STOPSTREAM_LOG_FORMAT": "json" if socket else "console",
            **settings,
        }
        environment = {**os.environ, **world.environment, **chosen}
        delivery = world.slack.delivery
        if not socket:
            delivery.request_url = delivery.options_url = f"{url}/slack/events"
        log = folder / "log"
        started = f"{_QUICK}; import runpy; runpy.run_module('bot', run_name='__main__')"
        with log.open("wb") as written:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", started, "serve"),
                cwd=ROOT,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stderr=written,
            )
        try:
            await until_ready(url)
            yield Target(world, url, environment, process, log)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


def changes(cloud: CloudEmulator) -> int:
    """Return how many requests that would change something have reached the cloud.

    Also those that it has refused, as for a name that it does not know.
    """
    return sum(not one.api.startswith("Describe") for one in cloud.received)


async def in_turn(tries: Iterable[Any], one: Callable[..., Any], at_once: int = 8) -> None:
    """Try each, so many at once."""
    waiting = iter(tries)

    async def some() -> None:
        for given in waiting:
            await one(*given)

    await asyncio.gather(*(some() for _ in range(at_once)))


def shown_in(content: Any) -> list[tuple[str, bool]]:
    """Return each text that Slack shows of a message, a view or an ack, and whether as markup."""
    if isinstance(content, list):
        return [found for one in content for found in shown_in(one)]
    if not isinstance(content, Mapping):
        return []
    texts = [
        (value, content.get("type") != "plain_text")
        for name, value in content.items()
        if name == "text" and isinstance(value, str)
    ]
    return texts + [found for one in content.values() for found in shown_in(one)]


def of_message(message: Message) -> dict[str, Any]:
    """Return a message as what it shows."""
    return {"text": message.text, "blocks": message.blocks}


def as_json(content: Any) -> str:
    """Return something with its characters as they are."""
    return json.dumps(content, ensure_ascii=False, default=str)
