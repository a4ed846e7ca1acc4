"""Measures the README's figures: `make bench`. Loopback only, bounded in count and time."""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
from httpx_aiohttp import AiohttpTransport

from bot import telemetry
from bot.catalog.registry import by_api
from bot.cli.demo import sandbox
from bot.tencent import tc3
from tests.bench.acks import busy, free_port, memory, paced, until_ready
from tests.bench.load import Load, quantile
from tests.bench.operations import operations
from tests.bench.trail import trail
from tests.support.paths import ROOT


def signing(count: int = 20_000) -> list[str]:
    """Compare what the official SDK does to sign a call with what we do: parameters to headers."""
    params = {"StreamName": "stream1", "DomainName": "a.example.com", "AppName": "live"}
    key = tc3.Credentials("AKIDEXAMPLE", "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE")

    encode = json.JSONEncoder(separators=(",", ":")).encode

    def ours() -> None:
        payload = encode(params).encode()
        timestamp = int(time.time())
        headers = {
            "content-type": "application/json",
            "host": "live.tencentcloudapi.com",
            "x-tc-action": "DropLiveStream",
        }
        headers["x-tc-version"] = "2018-08-01"
        headers["x-tc-timestamp"] = str(timestamp)
        headers["authorization"] = tc3.authorization(
            headers, payload, credentials=key, service="live", timestamp=timestamp
        )

    official = _sdk_signer(params, key)
    took: dict[str, list[float]] = {"ours": [], "official": []}
    for _ in range(5):
        for name, work in (("ours", ours), ("official", official)):
            began = time.perf_counter()
            for _ in range(count // 5):
                work()
            took[name].append((time.perf_counter() - began) / (count // 5) * 1e6)
    mine, theirs = statistics.median(took["ours"]), statistics.median(took["official"])
    line = (
        f"signing a call: {mine:.1f} µs, the official SDK {theirs:.1f} µs: "
        f"{theirs / mine:.1f} times as fast"
    )
    return [line]


def _sdk_signer(params: dict[str, str], key: tc3.Credentials) -> Callable[[], None]:
    """Sign through the SDK's own client, as every one of its calls does."""
    from tencentcloud.common import credential  # noqa: PLC0415 (the baseline)
    from tencentcloud.common.abstract_client import AbstractClient  # noqa: PLC0415 (as above)
    from tencentcloud.common.http.request import RequestInternal  # noqa: PLC0415 (as above)

    client = AbstractClient(credential.Credential(key.secret_id, key.secret_key), "")
    client._service, client._apiVersion = "live", "2018-08-01"  # noqa: SLF001 (as its children do)
    client._endpoint = "live.tencentcloudapi.com"  # noqa: SLF001 (as above)

    def sign() -> None:
        request = RequestInternal("live.tencentcloudapi.com", "POST", "/")
        client._build_req_with_tc3_signature("DropLiveStream", params, request)  # noqa: SLF001 (the baseline)
        assert "Authorization" in request.header

    sign()
    return sign


async def start_up() -> list[str]:
    """Time a start from the command to ready, on an empty database and on one that is there."""
    from bot.sandbox.slack.workspace import Workspace  # noqa: PLC0415
    from handlers.manifest import bot_scopes  # noqa: PLC0415

    took: dict[str, float] = {}
    async with Workspace(scopes=bot_scopes(), limits=False) as slack:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "policy.yml").write_text("roles: {}\n")
            for name in ("first", "again"):
                took[name] = await _until_ready(slack.api_url, Path(folder))
    line = (
        f"start to ready: {took['first']:.2f} s on an empty database, "
        f"{took['again']:.2f} s on one that is there"
    )
    return [line]


async def _until_ready(api_url: str, folder: Path) -> float:
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "SLACK_BOT_TOKEN": "xoxb-sandbox",
        "SLACK_SIGNING_SECRET": "s",
        "SLACK_API_URL": api_url,
        "STOPSTREAM_POLICY": str(folder / "policy.yml"),
        "STOPSTREAM_DATABASE_URL": f"sqlite:///{folder / 'bench.db'}",
        "STOPSTREAM_LISTEN": f"127.0.0.1:{port}",
    }
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "serve", cwd=ROOT, env=environment, stderr=-3
    )
    await until_ready(f"http://127.0.0.1:{port}")
    took = time.perf_counter() - began
    process.terminate()
    await process.wait()
    return took


async def asked_to_sent(count: int = 200) -> list[str]:
    """Time a command from its POST to its request's arrival at the cloud, one after another."""
    with tempfile.TemporaryDirectory() as folder:
        async with sandbox(Path(folder), socket=False, limits=False) as world:
            load = Load(f"{world.bot.url}/slack/events", world.slack.signing_secret)
            waits: list[float] = []
            async with load.session() as post:
                for number in range(count + 20):
                    seen = len(world.cloud.received)
                    began = time.time()
                    await post(f"car user{number}", f"t{number}")
                    while len(world.cloud.received) == seen:  # noqa: ASYNC110 (it is measured)
                        await asyncio.sleep(0.0005)
                    waits.append(world.cloud.received[-1].at - began)
                    # Below the API's 20 a second, so that its limiter never makes it wait.
                    await asyncio.sleep(0.06)
            bare = await _bare_call(world.cloud.url, count)
    ours = waits[20:]
    line = (
        f"ask to request at the cloud: p50 {quantile(ours, 50):.1f} ms, "
        f"p99 {quantile(ours, 99):.1f} ms; a bare httpx call: p50 {quantile(bare, 50):.1f} ms, "
        f"p99 {quantile(bare, 99):.1f} ms: "
        f"{quantile(ours, 50) / quantile(bare, 50):.1f} times at p50"
    )
    return [line]


async def _bare_call(url: str, count: int) -> list[float]:
    """Time a bare signed call to the same cloud, to its arrival."""
    action = by_api("DescribeLiveStreamState")
    took = []
    async with httpx.AsyncClient(transport=AiohttpTransport(), trust_env=False) as client:
        for _ in range(count):
            began = time.perf_counter()
            await client.post(url, content=b"{}", headers={"X-TC-Action": action.api})
            took.append(time.perf_counter() - began)
    return took


QUICK = ("start", "sent", "paced", "busy", "memory")
"""Those that run where none is named: some minutes. The others take a million rows each."""

BENCHES: dict[str, Callable[[], Awaitable[list[str]]]] = {
    "start": start_up,
    "sent": asked_to_sent,
    "paced": paced,
    "busy": busy,
    "memory": memory,
    "operations": operations,
    "trail": trail,
}


def main() -> None:
    """Run the benchmarks that are named, or the quick ones, and print how busy the machine is."""
    telemetry.configure("json", level="CRITICAL")
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("names", nargs="*", choices=["signing", *BENCHES, []], default=[])
    for name in parser.parse_args().names or ["signing", *QUICK]:
        began = time.monotonic()
        lines = signing() if name == "signing" else asyncio.run(_run(BENCHES[name]))
        for line in lines:
            print(f"- {line}", flush=True)  # noqa: T201 (a terminal)
        took = time.monotonic() - began
        print(f"  (in {took:.0f} s, load average {os.getloadavg()[0]:.1f})", flush=True)  # noqa: T201


async def _run(bench: Callable[[], Awaitable[list[str]]]) -> list[str]:
    return await bench()


main()
