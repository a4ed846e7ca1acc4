"""A campaign: people ask and press while faults are done to the bot; then everything is counted."""

import asyncio
import contextlib
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.authentication import Key
from bot.sandbox.tencent.faults import Fault
from bot.sandbox.tencent.server import CloudEmulator
from handlers.manifest import bot_scopes
from tests.chaos import faults
from tests.chaos.faults import KILL, Around
from tests.chaos.judge import Judge, open_store
from tests.chaos.people import People
from tests.chaos.replica import EndedError, Victim
from tests.chaos.tally import Tally
from tests.chaos.workspace import AUDIT, CHANNELS, POLICY
from tests.support.database_relay import Relay
from tests.support.worlds import environment

MAY_END = {"database-restart", "silent", "lost-commit", "disk"}
"""Faults beside which a start may be refused, because the database is away."""

LOSES_ANSWERS = {KILL, "lost-commit", "silent", "database-restart", "disk"}
"""Faults beside which the answer to a request may reach nobody who could write it down."""


GROWN = 0.8
"""The part of the lives that are not ended before their replica has begun to listen."""

CALM, PATIENCE = 300.0, 30.0
"""See Campaign."""

_DATABASE = "STOPSTREAM_DATABASE_URL"


class Campaign:
    """Faults, load and counting.

    Args:
        url: Of an empty database.
        names: The faults; what cannot be done to this database is left out.
        count: How many of each fault.
        broken: What is wrong with the bot on purpose, by the name that the victim knows.
        patience: Seconds for which people wait for the card of what was taken.
        calm: Seconds after the last fault until nothing may be owed any more.
        relays: Before PostgreSQL, one for each replica; none on SQLite.
        restart: Restarts PostgreSQL; None if it is not ours.
    """

    def __init__(
        self,
        url: str,
        folder: Path,
        *,
        count: int,
        seed: int,
        names: Sequence[str] = (KILL,),
        replicas: int = 1,
        broken: str = "",
        patience: float = PATIENCE,
        calm: float = CALM,
        relays: Sequence[Relay] = (),
        restart: Callable[[], None] | None = None,
    ) -> None:
        self.tally = Tally()
        self._url = url
        self._folder = folder
        self._count = count
        self._replicas = replicas
        self._broken = broken
        self._calm_within = calm
        self._dice = random.Random(seed)  # noqa: S311 (to be repeated)
        self._cloud = CloudEmulator(keys={"AKIDCHAOS": Key("chaos-key")})
        self._slack = Workspace(scopes=bot_scopes(), limits=False, pace=0.02)
        self._people = People(self._slack, self._cloud, self._dice, patience)
        self._relays = relays
        self._around = Around(self._slack, self._dice, relays, restart)
        self._names = set(faults.possible(names, self._around))
        self._killed: Counter[str] = Counter()

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
            urls = [relay.url for relay in self._relays] or [self._url] * self._replicas
            victims = [
                await stack.enter_async_context(
                    Victim(number, self._folder, env | {_DATABASE: url}, broken=self._broken)
                )
                for number, url in enumerate(urls)
            ]
            load = asyncio.create_task(self._people.ask(victims))
            async with asyncio.TaskGroup() as lives:
                for victim in victims:
                    lives.create_task(self._lives(victim))
            load.cancel()
            self._slack.faults.clear()
            await self._calm(victims)
            await self._judge()
        return self.tally

    async def _judge(self) -> None:
        known = set(_points(self._folder))
        self.tally.points = len(known)
        self.tally.points_killed = sum(1 for point in known if self._killed[point])
        judge = Judge(
            self._url,
            self._slack,
            self._cloud,
            self._people,
            self.tally,
            answered=not self._names & LOSES_ANSWERS,
            # The clock of PostgreSQL, which is nobody's machine here, is not turned.
            true_clocks="clock" not in self._names or bool(self._relays),
        )
        await judge.count()

    def _environment(self) -> dict[str, str]:
        policy = self._folder / "policy.yml"
        policy.write_text(POLICY)
        given = environment(self._folder, self._slack, self._cloud, ("AKIDCHAOS", "chaos-key"))
        del given["SLACK_APP_TOKEN"]
        return given | {
            "SLACK_SIGNING_SECRET": self._slack.signing_secret,
            "STOPSTREAM_AUDIT_CHANNEL": AUDIT,
            "STOPSTREAM_LOG_FORMAT": "json",
        }

    async def _lives(self, victim: Victim) -> None:
        while name := self._next():
            try:
                done = await self._suffers(victim, name)
            except EndedError:
                # Without its database a start is refused; whoever runs it starts it again.
                if not self._names & MAY_END:
                    raise
                self.tally.restarts += 1
                await asyncio.sleep(0.5)
                continue
            self.tally.faults[name] += done
            if self.tally.faults.total() % 50 == 0:
                say(f"  {self.tally.faults.total()} faults, {len(self._people.acks)} asked")

    def _next(self) -> str:
        """Return the fault that comes next, the rarest so far; empty if there were enough."""
        fewest = min(self._names, key=lambda name: (self.tally.faults[name], self._dice.random()))
        if self.tally.faults[fewest] >= self._count:
            return ""
        return fewest

    async def _suffers(self, victim: Victim, name: str) -> bool:
        """Do a fault; return whether it counts."""
        if name == KILL:
            target, nth = ("", 0) if victim.pid else self._choose(victim)
            if not victim.pid:
                await victim.born(target, nth)
            return await self._death(victim, target)
        if not victim.pid:
            await victim.born()
            await self._serves(victim)
        await asyncio.sleep(self._dice.uniform(0.2, 1.0))
        victim.require_alive()
        await faults.do(name, victim, self._around)
        victim.require_alive()
        return True

    async def _serves(self, victim: Victim) -> None:
        """Wait until a replica listens: what comes before is for kills."""
        async with asyncio.timeout(60):
            while not await victim.serves():
                victim.require_alive()
                await asyncio.sleep(0.05)

    def _choose(self, victim: Victim) -> tuple[str, int]:
        """Take a point where few have died, or none for a random moment."""
        points = victim.points.read_text().splitlines() if victim.points.exists() else []
        known = sorted(set(points))
        if not known or self._dice.random() < 0.2:
            return "", 0
        fewest = min(self._killed[point] for point in known)
        rare = [point for point in known if self._killed[point] == fewest]
        return self._dice.choice(rare), self._dice.choice((1, 1, 1, 2, 5))

    async def _death(self, victim: Victim, target: str) -> bool:
        """Kill a replica, or stop it; return whether it was killed."""
        dead = asyncio.create_task(victim.dead())
        if self._dice.random() < GROWN:
            await self._grows_up(victim, dead)
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
            self._stopped(began)
            return False
        if status != -signal.SIGKILL:
            raise EndedError(f"it ended by itself with {status}; see {self._folder}")
        return True

    async def _grows_up(self, victim: Victim, dead: asyncio.Task[int]) -> None:
        """Wait until a replica listens, or has died: a busy machine takes long to start one."""
        serves = asyncio.create_task(self._serves(victim))
        await asyncio.wait({dead, serves}, return_when=asyncio.FIRST_COMPLETED)
        serves.cancel()
        with contextlib.suppress(asyncio.CancelledError, EndedError):
            await serves

    def _stopped(self, began: float) -> None:
        self.tally.stops += 1
        self.tally.slowest_stop = max(self.tally.slowest_stop, time.monotonic() - began)

    async def _lives_on(self, victim: Victim) -> None:
        """Start a replica that is dead, as whoever runs it would.

        One that the last fault broke off in its start ends a while after it.
        """
        try:
            if victim.pid:
                victim.require_alive()
        except EndedError:
            if not self._names & MAY_END:
                raise
            self.tally.restarts += 1
        if not victim.pid:
            await victim.born()

    async def _calm(self, victims: list[Victim]) -> None:
        """Let the last ones live until nothing is owed."""
        store = open_store(self._url)
        people = self._people
        try:
            quiet = 0
            async with asyncio.timeout(self._calm_within):
                while quiet < 3:
                    for victim in victims:
                        await self._lives_on(victim)
                    await asyncio.sleep(0.5)
                    left = len(await store.operations.unfinished()) + await store.outbox.depth()
                    quiet = 0 if left or people.waiting else quiet + 1
                    self._slack.delivery.request_url = f"{victims[0].url}/slack/events"
                    if left and not people.waiting:
                        await people.press_forgotten()
        except TimeoutError:
            say(f"  {len(people.waiting)} people still wait")
        finally:
            await store.close()
        people.leave()
        for victim in victims:
            began = time.monotonic()
            dead = asyncio.create_task(victim.dead())
            victim.signal(signal.SIGTERM)
            await asyncio.wait({dead}, timeout=30)
            if not dead.done():
                victim.signal(signal.SIGKILL)
            await dead
            self._stopped(began)


def say(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)  # noqa: T201 (a terminal)


def _points(folder: Path) -> list[str]:
    file = folder / "points"
    return file.read_text().splitlines() if file.exists() else []
