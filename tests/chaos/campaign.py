"""A campaign: people ask and press while the bot is killed; then everything is counted."""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any

from bot.catalog import effects as offair
from bot.catalog.registry import by_api
from bot.model.lifecycle import ENDINGS
from bot.model.messages import MessageKind
from bot.model.operations import Operation, State
from bot.sandbox.slack.entities import Channel, Message
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.authentication import Key
from bot.sandbox.tencent.faults import Fault
from bot.sandbox.tencent.server import CloudEmulator
from bot.storage import database
from bot.storage.store import Store
from handlers.manifest import bot_scopes
from handlers.messages.state_text import STATE_TEXTS
from tests.chaos.replica import Victim
from tests.chaos.tally import Tally
from tests.chaos.workspace import AUDIT, CHANNELS, DOMAIN, POLICY

AT_ONCE = 24
"""How many operations are under way at most."""


class Campaign:
    """Kills, load and counting.

    Args:
        url: Of an empty database.
        backwards: The bot acts before its intent is on disk.
        patience: Seconds for which people wait for the card of what was taken.
    """

    def __init__(
        self,
        url: str,
        folder: Path,
        *,
        kills: int,
        seed: int,
        replicas: int = 1,
        backwards: bool = False,
        patience: float = 30.0,
    ) -> None:
        self.tally = Tally()
        self._url = url
        self._folder = folder
        self._kills = kills
        self._replicas = replicas
        self._backwards = backwards
        self._patience = patience
        self._dice = random.Random(seed)  # noqa: S311 (to be repeated)
        self._cloud = CloudEmulator(keys={"AKIDCHAOS": Key("chaos-key")})
        self._slack = Workspace(scopes=bot_scopes(), limits=False, pace=0.02)
        self._killed: Counter[str] = Counter()
        self._acks: dict[str, bool] = {}
        self._people: set[asyncio.Task[None]] = set()

    async def run(self) -> Tally:
        for id_, name in (("U0ALICE", "alice"), ("U0BOB", "bob")):
            self._slack.user(id_, name)
        for channel in (*CHANNELS, AUDIT):
            self._slack.channel(channel, channel.lower(), *self._slack.users)
        # Answers that take a while are what a kill can come between.
        self._cloud.faults.persist(Fault(seconds=0.05))
        self._slack.faults.delay = 0.02
        async with self._cloud, self._slack, contextlib.AsyncExitStack() as stack:
            env = self._environment()
            victims = [
                await stack.enter_async_context(
                    Victim(number, self._folder, env, backwards=self._backwards)
                )
                for number in range(self._replicas)
            ]
            load = asyncio.create_task(self._load(victims))
            async with asyncio.TaskGroup() as lives:
                for victim in victims:
                    lives.create_task(self._lives(victim))
            load.cancel()
            await self._calm(victims)
            await self._count()
        return self.tally

    def _environment(self) -> dict[str, str]:
        policy = self._folder / "policy.yml"
        policy.write_text(POLICY)
        return {
            "PATH": os.environ["PATH"],
            "SLACK_BOT_TOKEN": self._slack.bot_token,
            "SLACK_SIGNING_SECRET": self._slack.signing_secret,
            "SLACK_API_URL": self._slack.api_url,
            "TENCENTCLOUD_SECRET_ID": "AKIDCHAOS",
            "TENCENTCLOUD_SECRET_KEY": "chaos-key",
            "STOPSTREAM_TENCENT_URL": self._cloud.url,
            "STOPSTREAM_POLICY": str(policy),
            "STOPSTREAM_DATABASE_URL": self._url,
            "STOPSTREAM_AUDIT_CHANNEL": AUDIT,
            "STOPSTREAM_AUDIT_KEY_FILE": str(self._folder / "trail.key"),
            "STOPSTREAM_LOG_FORMAT": "json",
        }

    # --- lives and deaths ------------------------------------------------------------

    async def _lives(self, victim: Victim) -> None:
        while self.tally.kills < self._kills:
            target, nth = self._choose(victim)
            await victim.born(target, nth)
            await self._death(victim, target)
            if self.tally.kills % 50 == 0:
                say(f"  {self.tally.kills} kills, {len(self._acks)} asked")

    def _choose(self, victim: Victim) -> tuple[str, int]:
        """Take a point where few have died, or none for a random moment."""
        points = victim.points.read_text().splitlines() if victim.points.exists() else []
        known = sorted(set(points))
        if not known or self._dice.random() < 0.2:
            return "", 0
        fewest = min(self._killed[point] for point in known)
        rare = [point for point in known if self._killed[point] == fewest]
        return self._dice.choice(rare), self._dice.choice((1, 1, 1, 2, 5))

    async def _death(self, victim: Victim, target: str) -> None:
        dead = asyncio.create_task(victim.dead())
        gentle = not target and self._dice.random() < 0.2
        longest = 4.0 if target else self._dice.uniform(0.2, 3.0)
        await asyncio.wait({dead}, timeout=longest)
        self._killed[target] += 1
        began = time.monotonic()
        if not dead.done():
            victim.signal(signal.SIGTERM if gentle else signal.SIGKILL)
            await asyncio.wait({dead}, timeout=15)
            if not dead.done():
                victim.signal(signal.SIGKILL)
        status = await dead
        if gentle and status != -signal.SIGKILL:
            self.tally.stops += 1
            self.tally.slowest_stop = max(self.tally.slowest_stop, time.monotonic() - began)
        elif status == -signal.SIGKILL:
            self.tally.kills += 1
        else:
            raise RuntimeError(f"it ended by itself with {status}; see {self._folder}")

    async def _calm(self, victims: list[Victim]) -> None:
        """Let the last ones live until nothing is owed."""
        for victim in victims:
            await victim.born()
        store = self._open()
        try:
            quiet = 0
            async with asyncio.timeout(240):
                while quiet < 3:
                    await asyncio.sleep(0.5)
                    left = len(await store.operations.unfinished()) + await store.outbox.depth()
                    quiet = 0 if left or self._people else quiet + 1
                    self._slack.delivery.request_url = f"{victims[0].url}/slack/events"
                    if left and not self._people:
                        await self._press_forgotten()
        except TimeoutError:
            say(f"  {len(self._people)} people still wait")
        finally:
            await store.close()
        for task in self._people:
            task.cancel()
        for victim in victims:
            began = time.monotonic()
            victim.signal(signal.SIGTERM)
            await victim.dead()
            self.tally.stops += 1
            self.tally.slowest_stop = max(self.tally.slowest_stop, time.monotonic() - began)

    async def _press_forgotten(self) -> None:
        """Press what waits for people who had gone when its card came: their ack was lost."""
        for channel in map(self._slack.channels.__getitem__, CHANNELS):
            for card in channel.roots:
                for press, user in (("Confirm", "U0ALICE"), ("Approve", "U0BOB")):
                    if press in card.buttons():
                        await self._slack.person(user).press(press, card, channel.id)

    def _open(self) -> Store:
        engine = database.connect(self._url)
        database.migrate(engine)
        return Store(engine, owner="the campaign")

    # --- the people --------------------------------------------------------------------

    async def _load(self, victims: list[Victim]) -> None:
        """Let people ask all the time, of whichever replica listens."""
        for number in range(1_000_000):
            while len(self._people) >= AT_ONCE:  # noqa: ASYNC110 (simple will do)
                await asyncio.sleep(0.02)
            listening = [victim for victim in victims if await victim.serves()]
            if listening:
                victim = self._dice.choice(listening)
                self._slack.delivery.request_url = f"{victim.url}/slack/events"
                self._go(self._one(number))
            await asyncio.sleep(0.08)

    def _go(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._people.add(task)
        task.add_done_callback(self._went)

    def _went(self, task: asyncio.Task[None]) -> None:
        self._people.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.tally.untrue.append(f"a person could not go on: {error!r}")

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
        self._acks[name] = await asked
        await self._see_through(name, press, self._slack.channels[channel])

    async def _slash(self, command: str, text: str, channel: str) -> bool:
        said = await self._slack.person("U0ALICE").slash(command, text, channel)
        return said.startswith("Asked")

    async def _mention(self, text: str, channel: str) -> bool:
        await self._slack.person("U0ALICE").mention(text, channel)
        return False

    async def _see_through(self, name: str, press: str, channel: Channel) -> None:
        """Press until the buttons are gone, and wait for the ending."""
        patience = self._patience if self._acks[name] else self._patience / 4
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

    # --- counting ----------------------------------------------------------------------

    async def _count(self) -> None:
        tally = self.tally
        store = self._open()
        engine = database.connect(self._url)
        try:
            with engine.connect().execution_options(reads=True) as connection:
                rows = connection.exec_driver_sql("SELECT id FROM operations").scalars().all()
            found: dict[str, list[Operation]] = {}
            for id_ in rows:
                operation = await store.operations.get(id_)
                assert operation is not None
                found.setdefault(_target(operation), []).append(operation)
            off = {one.operation.id for one in await store.off_air.list(1_000_000)}
            with store.audit_log.snapshot() as audited:
                report = audited.verify((), lambda _seq: None)
            tally.trail = f"broken after {report.count}: {report.found}" if report.found else ""
        finally:
            await store.close()
            engine.dispose()
        known = set(_points(self._folder))
        tally.points = len(known)
        tally.points_killed = sum(1 for point in known if self._killed[point])
        tally.asked, tally.accepted = len(self._acks), sum(self._acks.values())
        tally.unlisted += [
            f"{operation.target}: {operation.api} {operation.state.value}"
            for operations in found.values()
            for operation in operations
            if (operation.id in off) != _is_off(operation)
        ]
        for name, accepted in self._acks.items():
            operations = found.pop(name, [])
            self._judge(name, operations, accepted=accepted)
        tally.untrue += [f"{name}: nobody asked for it" for name in found]
        keys = Counter(_key(message) for message in self._said() if _key(message))
        tally.posted_twice += [f"{key}: {count} times" for key, count in keys.items() if count > 1]

    def _judge(self, name: str, operations: list[Operation], *, accepted: bool) -> None:
        tally = self.tally
        runs = sum(
            name in one.params.values() and not one.api.startswith("Describe")
            for one in self._cloud.ran()
        )
        if not operations:
            if accepted:
                tally.lost.append(f"{name}: acked as taken, and not on file; ran {runs} times")
            elif runs:
                tally.untrue.append(f"{name}: ran {runs} times, and not on file")
            return
        if len(operations) > 1:
            tally.doubled.append(f"{name}: {len(operations)} operations for one asking")
        for operation in operations:
            tally.endings[operation.state.value] += 1
            self._judge_one(name, operation, runs)

    def _judge_one(self, name: str, operation: Operation, runs: int) -> None:
        tally, state = self.tally, operation.state
        said = [message for message in self._said() if _key(message).startswith(operation.id)]
        ending = [m for m in said if MessageKind.ENDING.value in _key(m)]
        if state not in ENDINGS:
            tally.lost.append(f"{name}: still {state.value}")
            return
        if state in (State.ACCEPTED, State.ALREADY) and not runs:
            tally.lost.append(f"{name}: {state.value}, and it never ran")
        if state not in (State.ACCEPTED, State.ALREADY, State.UNKNOWN) and runs:
            tally.untrue.append(f"{name}: {state.value}, and it ran")
        if runs > 1:
            tally.resent += 1
            if not any(f"sent {operation.attempts} times" in m.text for m in ending) or (
                operation.attempts < runs
            ):
                tally.doubled.append(f"{name}: ran {runs} times, tried {operation.attempts}")
        cards = [m for m in said if f":{MessageKind.CARD.value}" in _key(m)]
        tally.unposted += [
            f"{name}: its card still says: {card.text[:60]}"
            for card in cards
            if not card.text.startswith(STATE_TEXTS[state].label)
        ]
        kinds = Counter(_key(message).split(":")[1] for message in said)
        announced = state is State.ACCEPTED and "ResumeTime" in operation.params
        lift = (MessageKind.LIFT,) if announced else ()
        for owed in (MessageKind.CARD, MessageKind.ENDING, MessageKind.AUDIT, *lift):
            if not kinds[owed.value]:
                tally.unposted.append(f"{name}: no {owed.value} of its being {state.value}")

    def _said(self) -> Iterable[Message]:
        return [message for c in self._slack.channels.values() for message in c.messages]


def say(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)  # noqa: T201 (a terminal)


def _points(folder: Path) -> list[str]:
    file = folder / "points"
    return file.read_text().splitlines() if file.exists() else []


def _target(operation: Operation) -> str:
    names = ("StreamName", "UserId", "DomainName")
    return next(str(operation.params[name]) for name in names if name in operation.params)


def _is_off(operation: Operation) -> bool:
    switch = offair.off_air_change(operation, by_api(operation.api), {}, 0.0)
    return switch is not None and switch.off


def _key(message: Message) -> str:
    payload = message.metadata.get("event_payload") or {}
    return str(payload.get("key", ""))


def _card(channel: Channel, name: str) -> Message | None:
    return next(
        (m for m in channel.roots if m.bot_id and name in m.text.replace("`", " ").split()), None
    )
