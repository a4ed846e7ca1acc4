"""The people of a campaign: they ask all the time, press what is shown, and wait for endings."""

import asyncio
import contextlib
import random
from collections.abc import Coroutine
from typing import Any

from bot.sandbox.slack.entities import Channel, Message
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.server import CloudEmulator
from tests.chaos.replica import Victim
from tests.chaos.workspace import CHANNELS, DOMAIN
from tests.support.acks import is_stored

AT_ONCE = 24
"""How many operations are under way at most."""

NOT_SENT = "Nothing was sent"
"""What is promised to who is told so."""


class People:
    """Ask for things with names of their own, and see them through.

    Args:
        patience: Seconds for which people wait for the card of what was taken.

    Attributes:
        acks: Whether what was asked was taken, by its name.
        told_unsent: The names of what was answered with "Nothing was sent".
        stuck: Why people could not go on.
    """

    def __init__(
        self, slack: Workspace, cloud: CloudEmulator, dice: random.Random, patience: float
    ) -> None:
        self._slack = slack
        self._cloud = cloud
        self._dice = dice
        self._patience = patience
        self.acks: dict[str, bool] = {}
        self.told_unsent: set[str] = set()
        self.stuck: list[str] = []
        self.waiting: set[asyncio.Task[None]] = set()

    def leave(self) -> None:
        """Stop waiting."""
        for task in self.waiting:
            task.cancel()

    async def ask(self, victims: list[Victim]) -> None:
        """Let people ask all the time, of whichever replica listens."""
        for number in range(1_000_000):
            while len(self.waiting) >= AT_ONCE:  # noqa: ASYNC110 (simple will do)
                await asyncio.sleep(0.02)
            listening = [victim for victim in victims if await victim.serves()]
            if listening:
                victim = self._dice.choice(listening)
                self._slack.delivery.request_url = f"{victim.url}/slack/events"
                self._go(self._one(number))
            await asyncio.sleep(0.08)

    def _go(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self.waiting.add(task)
        task.add_done_callback(self._went)

    def _went(self, task: asyncio.Task[None]) -> None:
        self.waiting.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.stuck.append(f"a person could not go on: {error!r}")

    async def _one(self, number: int) -> None:
        """Ask for one thing, with a name of its own, and see it through."""
        name, channel = f"x{number}", CHANNELS[number % len(CHANNELS)]
        things, press = self._cloud.resources, ""
        match self._dice.randrange(8):
            case 0 | 1 | 2:
                things.put("stream", name, DOMAIN, "live")
                asked = self._slash("/stopstream", f"live {name}", channel)
            case 3:
                things.put("stream", name, DOMAIN, "live")
                asked = self._mention(f"stop live {name}", channel)
            case 4:
                things.put("session", name)
                asked = self._slash("/startstream", f"car {name}", channel)
            case 5:
                things.put("session", name)
                asked = self._slash("/stopstream", f"car {name}", channel)
            case 6:
                things.put("stream", name, DOMAIN, "live")
                asked, press = self._slash("/stopstream", f"ban {name} for=1h", channel), "Confirm"
            case _:
                name = f"{name}.example.com"
                things.put("domain", name)
                asked, press = self._slash("/stopstream", f"domain {name}", channel), "Approve"
        said = await asked
        self.acks[name] = said is not None and is_stored(said)
        if said and NOT_SENT in said:
            self.told_unsent.add(name)
        await self._see_through(name, press, self._slack.channels[channel])

    async def _slash(self, command: str, text: str, channel: str) -> str | None:
        return await self._slack.person("U0ALICE").slash(command, text, channel)

    async def _mention(self, text: str, channel: str) -> str | None:
        """Mention the bot; return None, because no answer says whether that was taken."""
        await self._slack.person("U0ALICE").mention(text, channel)
        return None

    async def _see_through(self, name: str, press: str, channel: Channel) -> None:
        """Press until the buttons are gone, and wait for the ending."""
        patience = self._patience if self.acks[name] else self._patience / 4
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while not (card := _card(channel, name)):  # noqa: ASYNC110 (see above)
                    await asyncio.sleep(0.1)
            async with asyncio.timeout(120):
                while press and press in card.buttons():
                    person = self._slack.person("U0BOB" if press == "Approve" else "U0ALICE")
                    pressed = person.press_payload(press, card, channel.id)
                    bring = self._slack.delivery.deliver
                    # Slack may deliver a press twice, and fingers are nervous.
                    times = self._dice.choice((1, 2))
                    await asyncio.gather(*(bring("interaction", pressed) for _ in range(times)))
                    await asyncio.sleep(0.5)
                while not channel.thread(card.ts):  # noqa: ASYNC110 (see above)
                    await asyncio.sleep(0.2)

    async def press_forgotten(self) -> None:
        """Press what waits for people who had gone when its card came: their ack was lost."""
        for channel in map(self._slack.channels.__getitem__, CHANNELS):
            for card in channel.roots:
                for press, user in (("Confirm", "U0ALICE"), ("Approve", "U0BOB")):
                    if press in card.buttons():
                        await self._slack.person(user).press(press, card, channel.id)


def _card(channel: Channel, name: str) -> Message | None:
    return next(
        (m for m in channel.roots if m.bot_id and name in m.text.replace("`", " ").split()), None
    )
