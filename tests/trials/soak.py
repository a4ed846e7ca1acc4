"""Many minutes at a steady rate, with faults on both sides: nothing is lost, and nothing grows."""

import asyncio
import contextlib
import random
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import sqlalchemy as sa

from bot.cli.demo import DOMAIN
from bot.model.lifecycle import ENDINGS
from bot.model.operations import State
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent import faults as cloud_faults
from bot.sandbox.tencent.authentication import Key
from bot.sandbox.tencent.faults import Fault
from bot.sandbox.tencent.server import CloudEmulator
from bot.storage import database
from handlers.manifest import bot_scopes
from tests.bench.load import quantile
from tests.support.acks import is_stored
from tests.support.ports import free_port
from tests.support.prometheus import fetch
from tests.support.worlds import environment

CHANNELS = tuple(f"C0SOAK{number:03}" for number in range(120))
PEOPLE = tuple(f"U0SOAK{number:02}" for number in range(30))
POLICY = f"""
defaults: {{live: {{DomainName: {DOMAIN}, AppName: live}}}}
roles:
  oncall:
    members: {{users: [{", ".join(PEOPLE)}]}}
    allow: [{{actions: [DropLiveStream, StopPublishStream, "Describe*"]}}]
"""

_NAMED: Mapping[str, str] = {"DropLiveStream": "StreamName", "StopPublishStream": "UserId"}
"""The parameter that names what is stopped, by API."""

_SESSIONS = 0.6
"""The part of the requests that stop a session, the others a stream: each API takes 20 a second,
and each stop of a stream reads its state twice, under the limit of that API."""

_EVERY = 5.0
"""Seconds between two samples of a process."""

_GONE = 30.0
"""Seconds after which a stream that was stopped leaves the emulated cloud."""

_CALM = 600.0
"""Seconds after the last request until nothing may be owed any more."""

_WARM_UP = 0.1
"""The part of a run whose samples do not count: caches fill, pools open."""

_METHODS = ("chat.postMessage", "chat.update")
_FAULTS = (
    Fault(code="InternalError"),
    Fault(code="RequestLimitExceeded"),
    Fault(seconds=2.0),
    cloud_faults.ResetUnread,
    cloud_faults.ResetAfter,
    cloud_faults.Deaf,
    cloud_faults.Silent,
    cloud_faults.Http500,
    cloud_faults.Truncated,
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a process."""

    at: float
    memory: int
    files: int
    threads: int
    cpu: float


@dataclass(slots=True)
class Soaked:
    """What a run found; latencies are in seconds, by the time of the asking."""

    samples: dict[int, list[Sample]] = field(default_factory=dict[int, list[Sample]])
    acks: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    ran: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    faults: Counter[str] = field(default_factory=Counter[str])
    endings: Counter[str] = field(default_factory=Counter[str])
    asked: int = 0
    taken: int = 0
    unfinished: int = 0
    lost: int = 0
    doubled: int = 0
    unposted: int = 0
    posted_twice: int = 0
    calm_after: float = 0.0
    stop: float = 0.0
    seconds: float = 0.0

    @property
    def grown(self) -> list[str]:
        """What is larger in the last third of the run than in the first."""
        found = []
        for pid, samples in self.samples.items():
            first, last = _thirds([(one.at, one) for one in samples])
            for name, least, factor in (
                ("memory", 8 << 20, 1.1),
                ("files", 16, 1),
                ("threads", 2, 1),
            ):
                before, after = _middle(first, name), _middle(last, name)
                if after > before * factor + least:
                    found.append(f"{name} of {pid}: {before:.0f}, then {after:.0f}")
        for name, taken in (("ack", self.acks), ("ask to run", self.ran)):
            first_half, last_half = _thirds(taken)
            before, after = quantile(first_half, 50), quantile(last_half, 50)
            if after > before * 1.5 + 10:
                found.append(f"{name}: p50 {before:.0f} ms, then {after:.0f} ms")
        return found

    @property
    def wrong(self) -> bool:
        """Whether anything was lost, doubled, not ended or not posted, or grows."""
        wrong = self.unfinished or self.lost or self.doubled or self.unposted or self.posted_twice
        return bool(wrong or self.grown)

    def lines(self) -> Iterator[str]:
        """Yield the report."""
        yield f"{self.asked} asked in {self.seconds:.0f} s, {self.taken} taken: " + ", ".join(
            f"{count} {name}" for name, count in self.endings.most_common()
        )
        yield "faults: " + ", ".join(f"{n} {name}" for name, n in sorted(self.faults.items()))
        yield (
            f"not ended in time: {self.unfinished}, lost: {self.lost}, silently doubled: "
            f"{self.doubled}, unposted: {self.unposted}, posted twice: {self.posted_twice}"
        )
        for pid, samples in self.samples.items():
            first, last = _thirds([(one.at, one) for one in samples])
            before, after = (_middle(part, "memory") / 2**20 for part in (first, last))
            parts = [
                f"memory {before:.1f} → {after:.1f} MB",
                f"files {_middle(first, 'files'):.0f} → {_middle(last, 'files'):.0f}",
                f"CPU {samples[-1].cpu / max(1, self.asked) * 1000:.0f} ms an operation",
                f"threads {_middle(first, 'threads'):.0f} → {_middle(last, 'threads'):.0f}",
            ]
            yield f"process {pid}, first third → last third: " + ", ".join(parts)
        for name, taken in (("ack", self.acks), ("ask to run", self.ran)):
            first_part, last_part = _thirds(taken)
            yield f"{name}: " + ", ".join(
                f"p{percent} {quantile(first_part, percent):.0f} → "
                f"{quantile(last_part, percent):.0f} ms"
                for percent in (50, 99)
            )
        yield f"calm {self.calm_after:.0f} s after the last; slowest stop {self.stop:.1f} s"
        yield "grows: " + ("; ".join(self.grown) or "nothing")


class Soak:
    """One run.

    Args:
        url: Of an empty database.
        rate: Requests a second.
        seconds: For which they are made.
    """

    def __init__(
        self, url: str, folder: Path, *, rate: float, seconds: float, replicas: int, seed: int
    ) -> None:
        self._url = url
        self._folder = folder
        self._rate = rate
        self._seconds = seconds
        self._replicas = replicas
        self._dice = random.Random(seed)  # noqa: S311 (which fault comes next is no secret)
        self._cloud = CloudEmulator(keys={"AKIDSOAK": Key("soak-secret-key")})
        self._slack = Workspace(scopes=bot_scopes(), limits=False)
        self._runs: Counter[str] = Counter()
        self._asked_at: dict[str, float] = {}
        self._taken: set[str] = set()
        self.found = Soaked(seconds=seconds)

    async def run(self) -> Soaked:
        """Ask, do faults, wait until all is told, and count."""
        for id_ in PEOPLE:
            self._slack.user(id_, id_.lower())
        for id_ in CHANNELS:
            self._slack.channel(id_, id_.lower(), *PEOPLE)
        self._cloud.listeners.append(self._note_request)
        (self._folder / "policy.yml").write_text(POLICY)
        async with self._cloud, self._slack, self._replica_processes() as pids:
            for pid in pids:
                self.found.samples[pid] = []
            async with asyncio.TaskGroup() as group:
                sampling = group.create_task(self._sample(pids))
                harming = group.create_task(self._harm())
                await self._ask()
                harming.cancel()
                self._slack.faults.clear()
                self._cloud.faults.clear()
                began = time.monotonic()
                await self._calm()
                self.found.calm_after = time.monotonic() - began
                sampling.cancel()
        self._count()
        return self.found

    @contextlib.asynccontextmanager
    async def _replica_processes(self) -> AsyncIterator[list[int]]:
        processes, log = [], (self._folder / "bot.log").open("a")
        try:
            for _ in range(self._replicas):
                port = free_port()
                one = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "bot", "serve"),
                    env=self._environment(port),
                    stdout=log,
                    stderr=log,
                )
                processes.append(one)
                await self._ready(port)
            yield [one.pid for one in processes]
            for one in processes:
                began = time.monotonic()
                one.send_signal(signal.SIGTERM)
                await one.wait()
                self.found.stop = max(self.found.stop, time.monotonic() - began)
        finally:
            log.close()
            for one in processes:
                if one.returncode is None:
                    one.kill()
                    await one.wait()

    def _environment(self, port: int) -> dict[str, str]:
        given = environment(self._folder, self._slack, self._cloud, ("AKIDSOAK", "soak-secret-key"))
        return given | {
            "STOPSTREAM_DATABASE_URL": self._url,
            "STOPSTREAM_AUDIT_CHANNEL": "",
            "STOPSTREAM_LISTEN": f"127.0.0.1:{port}",
            "STOPSTREAM_LOG_LEVEL": "error",
        }

    async def _ready(self, port: int) -> None:
        async with asyncio.timeout(120):
            while True:
                with contextlib.suppress(OSError):
                    if (await fetch(f"http://127.0.0.1:{port}/readyz"))[0] == 200:
                        return
                await asyncio.sleep(0.1)

    async def _ask(self) -> None:
        """Ask at the rate, whatever becomes of what was asked before."""
        began, number = time.monotonic(), 0
        async with asyncio.TaskGroup() as group:
            while (due := number / self._rate) < self._seconds:
                await asyncio.sleep(max(0.0, began + due - time.monotonic()))
                group.create_task(self._ask_one(f"s{number}"))
                number += 1

    async def _ask_one(self, name: str) -> None:
        if is_session := self._dice.random() < _SESSIONS:
            self._cloud.resources.put("session", name)
        else:
            self._cloud.resources.put("stream", name, DOMAIN, "live")
        channel, user = self._dice.choice(CHANNELS), self._dice.choice(PEOPLE)
        self._asked_at[name] = began = time.time()
        text = f"{'car' if is_session else 'live'} {name}"
        said = await self._slack.person(user).slash("/stopstream", text, channel)
        self.found.acks.append((began, time.time() - began))
        self.found.asked += 1
        if is_stored(said):
            self._taken.add(name)

    def _note_request(self) -> None:
        last = self._cloud.received[-1]
        if last.api in _NAMED and last.ran:
            name = str(last.params[_NAMED[last.api]])
            self._runs[name] += 1
            if self._runs[name] == 1:
                asked = self._asked_at[name]
                self.found.ran.append((asked, time.time() - asked))
                is_session = last.api == "StopPublishStream"
                key = ("session", name) if is_session else ("stream", name, DOMAIN, "live")
                remove = partial(self._cloud.resources.remove, *key)
                asyncio.get_running_loop().call_later(_GONE, remove)

    async def _harm(self) -> None:
        """Do one fault after the other, on either side."""
        slack, dice = self._slack.faults, self._dice
        while True:
            await asyncio.sleep(dice.uniform(0.2, 1.5))
            name = dice.choice(("429", "5xx", "code", "answer lost", "cloud", "cloud", "cloud"))
            self.found.faults[name] += 1
            method = dice.choice(_METHODS)
            match name:
                case "429":
                    slack.limit_next[method] = dice.choice((1, 2, 5))
                case "5xx":
                    slack.down = True
                    await asyncio.sleep(dice.uniform(0.1, 1.0))
                    slack.down = False
                case "code":
                    code = dice.choice(("internal_error", "fatal_error", "service_unavailable"))
                    slack.refuse(method, code, times=dice.choice((1, 3)), done=dice.random() < 0.5)
                case "answer lost":
                    slack.lose_next[method] = dice.choice((1, 2, 4))
                case _:
                    times = dice.choice((1, 2, 4))
                    api = dice.choice(tuple(_NAMED))
                    self._cloud.faults.add(dice.choice(_FAULTS), api=api, times=times)

    async def _sample(self, pids: Sequence[int]) -> None:
        while True:
            for pid in pids:
                process = psutil.Process(pid)
                self.found.samples[pid].append(
                    Sample(
                        time.time(),
                        process.memory_info().rss,
                        process.num_fds(),
                        process.num_threads(),
                        sum(process.cpu_times()[:2]),
                    )
                )
            await asyncio.sleep(_EVERY)

    async def _calm(self) -> None:
        """Wait until every request has ended and been told."""
        until = time.monotonic() + _CALM
        while time.monotonic() < until:
            if not await asyncio.to_thread(self._owed):
                return
            await asyncio.sleep(1.0)

    def _owed(self) -> int:
        query = (
            "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM operations WHERE state "
            "IN ('asked', 'waiting', 'due', 'running'))"
        )
        return int(self._query(query)[0][0])

    def _query(self, query: str) -> Sequence[Any]:
        engine = database.connect(self._url)
        try:
            with engine.connect().execution_options(reads=True) as connection:
                return connection.exec_driver_sql(query).all()
        except (sa.exc.SQLAlchemyError, sqlite3.Error):
            return [(1,)]
        finally:
            engine.dispose()

    def _count(self) -> None:
        found = self.found
        found.taken = len(self._taken)
        keys = Counter(
            str((message.metadata.get("event_payload") or {}).get("key", ""))
            for channel in self._slack.channels.values()
            for message in channel.messages
        )
        keys.pop("", None)
        found.posted_twice = sum(count > 1 for count in keys.values())
        told = {key.partition(":")[0] for key in keys if ":ending:" in key}
        on_file = Counter[str]()
        for id_, name, state, attempts in self._query(
            "SELECT id, target, state, attempts FROM operations"
        ):
            on_file[name] += 1
            found.endings[state] += 1
            ended = State(state)
            runs = self._runs[name]
            done = ended in (State.ACCEPTED, State.ALREADY)
            found.lost += done and not runs
            found.unfinished += ended not in ENDINGS
            # A denial is told to the asker alone.
            owed = ended in ENDINGS and ended is not State.DENIED
            found.unposted += owed and id_ not in told
            found.doubled += runs > max(1, attempts)
        found.doubled += sum(count > 1 for count in on_file.values())
        found.lost += len(self._taken - on_file.keys())


def _thirds(found: Sequence[tuple[float, Any]]) -> tuple[list[Any], list[Any]]:
    """Return what belongs to the first and to the last third, without what warms up."""
    begin, end = min(at for at, _ in found), max(at for at, _ in found)
    begin += (end - begin) * _WARM_UP
    third = (end - begin) / 3
    first = [one for at, one in found if begin <= at < begin + third]
    return first, [one for at, one in found if at >= end - third]


def _middle(samples: Sequence[Sample], name: str) -> float:
    ordered = sorted(getattr(one, name) for one in samples)
    return float(ordered[len(ordered) // 2])
