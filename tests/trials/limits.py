"""An API's limit over several replicas, as the cloud sees it; and a single stop behind a queue."""

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientError, ClientSession

from bot.cli.demo import AUDIT, DOMAIN, INCIDENTS
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.authentication import Key
from bot.sandbox.tencent.requests import Received
from bot.sandbox.tencent.server import CloudEmulator
from handlers.manifest import bot_scopes
from tests.bench.load import Load
from tests.support.acks import is_stored
from tests.support.ports import free_port
from tests.support.processes import Process

POLICY = f"""
defaults: {{live: {{DomainName: {DOMAIN}, AppName: live}}}}
roles:
  oncall: {{members: {{users: [U0ALICE, U0BOB]}}, allow: [{{actions: ["*"]}}]}}
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """What the cloud saw of one API while work was waiting.

    Attributes:
        most: Requests in the fullest window of one second.
        part: Of the limit, on average.
    """

    replicas: int
    limit: int
    most: int
    part: float
    refused: int

    def line(self) -> str:
        return (
            f"{self.replicas} replicas, limit {self.limit}/s: at most {self.most} in any second, "
            f"{self.part:.1%} of it on average, {self.refused} refused"
        )


@dataclass
class Fleet:
    """Replicas on one database, between emulators."""

    slack: Workspace
    cloud: CloudEmulator
    urls: list[str]

    async def ask(self, texts: list[str], at_once: int = 16) -> None:
        """Type commands, of the replicas by turns."""
        loads = itertools.cycle(
            [Load(f"{url}/slack/events", self.slack.signing_secret) for url in self.urls]
        )
        waiting = deque(enumerate(texts))

        async def type_on(load: Load) -> None:
            async with load.session() as post:
                while waiting:
                    number, text = waiting.popleft()
                    await post(text, f"trigger-{text}-{number}")

        await asyncio.gather(*(type_on(next(loads)) for _ in range(at_once)))


@contextlib.asynccontextmanager
async def fleet(
    folder: Path, url: str, replicas: int, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Fleet]:
    slack = Workspace(scopes=bot_scopes())
    cloud = CloudEmulator(keys={"AKIDDEMODEMO": Key("demo")})
    for id_, name in (("U0ALICE", "alice"), ("U0BOB", "bob")):
        slack.user(id_, name)
    slack.channel(INCIDENTS, "incidents", *slack.users)
    slack.channel(AUDIT, "audit")
    (folder / "policy.yml").write_text(POLICY)
    async with cloud, slack:
        program = Process(folder, slack, cloud)
        ports = [free_port() for _ in range(replicas)]
        environments = [
            {
                "STOPSTREAM_DATABASE_URL": url,
                "STOPSTREAM_LISTEN": f"127.0.0.1:{port}",
                "SLACK_APP_TOKEN": "",
                "SLACK_SIGNING_SECRET": slack.signing_secret,
                **(environment or {}),
            }
            for port in ports
        ]
        running = [await program.start("serve", env=env, quiet=True) for env in environments]
        found = Fleet(slack, cloud, [f"http://127.0.0.1:{port}" for port in ports])
        try:
            for one in found.urls:
                await _ready(one)
            yield found
        finally:
            for process in running:
                process.kill()
                await process.wait()


async def _ready(url: str) -> None:
    async with ClientSession() as session, asyncio.timeout(180):
        while True:
            with contextlib.suppress(ClientError):
                async with session.get(f"{url}/readyz") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.1)


async def rate(folder: Path, url: str, *, replicas: int, kind: str, seconds: float) -> Rate:
    """Let work of one API wait for so long, and see at which rate the cloud gets it.

    Args:
        kind: `live` (100 requests a second) or `car` (20).
    """
    async with fleet(folder, url, replicas) as ours:
        limit = {"live": 100, "car": 20}[kind]
        count = int(limit * seconds)
        texts = []
        for number in range(count):
            name = f"x{number}"
            thing = ("stream", name, DOMAIN, "live") if kind == "live" else ("session", name)
            ours.cloud.resources.put(*thing)
            texts.append(f"{kind} {name}")
        await ours.ask(texts)
        async with asyncio.timeout(60 + 3 * seconds):
            while len(_sent(ours)) < count:  # noqa: ASYNC110 (other processes)
                await asyncio.sleep(0.1)
        sent = _sent(ours)
        times = [one.at for one in sent]
        took = times[-1] - times[0]
        refused = sum(bool(one.code) for one in sent)
        return Rate(replicas, limit, _fullest(times), (len(times) - 1) / took / limit, refused)


async def behind(folder: Path, url: str, *, queue: int) -> float:
    """Give the seconds until a single stop leaves while so many of a bulk wait."""
    async with fleet(folder, url, 1) as ours:
        for number in range(queue):
            ours.cloud.resources.put("session", f"x{number}")
        ours.cloud.resources.put("session", "urgent")
        await ours.ask([f"car x{number}" for number in range(queue)])
        loop = asyncio.get_running_loop()
        ours.slack.delivery.request_url = f"{ours.urls[0]}/slack/events"
        began = loop.time()
        said = await ours.slack.person("U0BOB").slash("/stopstream", "car urgent", INCIDENTS)
        assert is_stored(said), said
        async with asyncio.timeout(30):
            while not _urgent_left(ours):  # noqa: ASYNC110 (other processes)
                await asyncio.sleep(0.005)
        left = loop.time() - began
        assert len(_sent(ours)) < queue, "they still wait"
        return left


def _sent(ours: Fleet) -> list[Received]:
    return [one for one in ours.cloud.received if not one.api.startswith("Describe")]


def _urgent_left(ours: Fleet) -> bool:
    return any(one.params.get("UserId") == "urgent" for one in _sent(ours)[-200:])


def _fullest(times: list[float]) -> int:
    """Count the most within any window of one second."""
    most, window = 0, deque[float]()
    for at in sorted(times):
        window.append(at)
        while at - window[0] >= 1.0:
            window.popleft()
        most = max(most, len(window))
    return most
