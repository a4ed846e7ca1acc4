"""`stopstream demo --once`: one story from end to end, each step of it checked."""

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bot import telemetry
from bot.cli.demo import AUDIT, DOMAIN, INCIDENTS, Sandbox, sandbox
from bot.cli.output import DONE, FAILED, say
from bot.sandbox.slack.entities import Message
from bot.sandbox.tencent.faults import Fault
from bot.sandbox.tencent.requests import Received

_PATIENCE = 30.0
"""Seconds that each step may take."""


async def story() -> int:
    """Build a sandbox, tell the story in it, and return the exit code."""
    telemetry.configure("console", level="ERROR")
    with tempfile.TemporaryDirectory(prefix="stopstream-demo-") as folder:
        async with sandbox(Path(folder)) as world:
            return await Story(world).tell()


class Story:
    """Runs the steps in a sandbox, and checks each against what must be so."""

    def __init__(self, world: Sandbox) -> None:
        self._world = world
        self._slack = world.slack
        self._failed: list[str] = []

    async def tell(self) -> int:
        """Run every step, and return the exit code."""
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
            return FAILED
        say("", "Every step went as it must.")
        return DONE

    async def _stop(self) -> None:
        say("", "1. An on-call engineer stops a stream.")
        ending = await self._run("U0ALICE", "/stopstream", "live stream1")
        (request,) = self._sent()
        self._must(request.api == "DropLiveStream", "the stream was cut once")
        self._must(request.request_id in ending, "the RequestId stands in the thread")
        (card,) = self._slack.channels[INCIDENTS].roots
        await self._slack.wait_for(lambda: "Ban 30 min" in card.buttons(), timeout=_PATIENCE)
        self._must("Ban 30 min" in card.buttons(), "a button keeps the stream off")

    async def _deny(self) -> None:
        say("", "2. Someone without a role is refused, and nothing is sent.")
        before = len(self._sent())
        await self._type("U0MALLORY", "/stopstream", "live stream1")
        seen = await self._alone("U0MALLORY", "Denied")
        self._must("oncall" in seen, "the refusal says who could do it")
        self._must(len(self._sent()) == before, "nothing reached Tencent Cloud")

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
        self._must("Confirm" not in card.buttons(), "a decided card cannot be decided again")

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
        self._world.cloud.faults.add(
            Fault(code="ResourceNotFound.StopService"), api="DropLiveStream"
        )
        ending = await self._run("U0ALICE", "/stopstream", "live stream2")
        self._must("ResourceNotFound.StopService" in ending, "the code stands in the thread")
        self._must("unpaid" in ending, "and what it means")

    async def _already(self) -> None:
        say("", "8. What is over already is not an error.")
        await self._run("U0ALICE", "/stopstream", "ingest task-1")
        ending = await self._run("U0ALICE", "/stopstream", "ingest task-1")
        self._must("ended before" in ending, "the second stop says that it was over")

    async def _came_back(self) -> None:
        say(
            "", "4. The encoder reconnects; a callback of Tencent Cloud says so, and the bot looks."
        )
        channel = self._slack.channels[INCIDENTS]
        first = channel.roots[0]
        seen: Sequence[Message] = await self._slack.wait_for(
            lambda: [m for m in channel.thread(first.ts) if "Live again" in m.text],
            timeout=_PATIENCE,
        )
        self._show("   thread", seen[0])
        self._must("Ban 30 min" in seen[0].buttons(), "an encoder that came back can be kept off")

    async def _trail(self) -> None:
        say("", "9. Every step is on the trail, and a line of each run in the audit channel.")
        audit = self._slack.channels[AUDIT]
        await self._slack.wait_for(lambda: len(audit.roots) >= 9, timeout=_PATIENCE)  # noqa: PLR2004
        for message in audit.roots:
            self._show("#audit", message)

    async def _type(self, user: str, command: str, text: str) -> str:
        name = self._slack.users[user].name
        say(f"   {name:>8}  {command} {text}")
        seen = await self._slack.person(user).slash(command, text, INCIDENTS)
        if seen:
            self._lines(f"only {name}", seen)
        return seen

    async def _ask(self, user: str, command: str, text: str) -> Message:
        """Type a command, wait for its card and return it."""
        channel = self._slack.channels[INCIDENTS]
        before = len(channel.roots)
        await self._type(user, command, text)
        cards: Sequence[Message] = await self._slack.wait_for(
            lambda: channel.roots[before:], timeout=_PATIENCE
        )
        return cards[0]

    async def _ending(self, card: Message) -> str:
        """Wait for the ending in a card's thread and return its text."""
        channel = self._slack.channels[INCIDENTS]
        thread: Sequence[Message] = await self._slack.wait_for(
            lambda: channel.thread(card.ts), timeout=_PATIENCE
        )
        self._show("#incidents", card)
        self._show("   thread", thread[0])
        return thread[0].text

    async def _run(self, user: str, command: str, text: str) -> str:
        """Type a command, wait for the ending in its card's thread and return its text."""
        return await self._ending(await self._ask(user, command, text))

    async def _press(self, user: str, label: str, card: Message) -> None:
        await self._slack.wait_for(lambda: label in card.buttons(), timeout=_PATIENCE)
        self._show("#incidents", card)
        say(f"   {self._slack.users[user].name:>8}  presses {label}")
        await self._slack.person(user).press(label, card, INCIDENTS)

    def _sent(self) -> list[Received]:
        """Return the requests, without reads, that ran in the cloud."""
        return [one for one in self._world.cloud.ran() if not one.api.startswith("Describe")]

    async def _alone(self, user: str, words: str) -> str:
        """Wait for a message with these words that only one person sees, and return its text."""
        seen: Sequence[Message] = await self._slack.wait_for(
            lambda: [m for m in self._slack.ephemerals(user) if words in m.text], timeout=_PATIENCE
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
