"""The whole program traced: what is sent to a collector, and that nothing waits for it."""

import asyncio
import gzip
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bot.cli.check import check
from bot.cli.demo import INCIDENTS
from bot.cli.serve import Server
from bot.cli.settings import read_settings
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.faults import Fault
from bot.sandbox.tencent.server import CloudEmulator
from bot.traces import ids_of
from tests.support.acks import is_stored
from tests.support.collector import attributes, collector
from tests.support.processes import Process
from tests.support.waiting import until
from tests.support.worlds import emulated

STOP = "live/DropLiveStream"
SECRET = "5f3759df5f3759df5f3759df"


async def test_stop_is_one_trace_from_the_request_to_the_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step is a span beneath the asking, by the operation's id; no stream key is in any."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    async with collector() as traces, emulated(tmp_path, limits=False) as world:
        settings = read_settings(**world.environment, OTEL_EXPORTER_OTLP_ENDPOINT=traces.url)
        world.cloud.faults.add(Fault(code="InternalError"), api="DropLiveStream")
        async with Server(settings):
            url = f"rtmp://5000.livepush.myqcloud.com/live/stream2?txSecret={SECRET}&txTime=6A0B"
            await world.slack.person("U0ALICE").slash("/stopstream", f"live {url}", INCIDENTS)
            await until(lambda: len(traces.named(STOP)) > 1 and len(traces.named("post slack")) > 2)

    (ask,) = traces.named("ask")
    operation = attributes(ask)["stopstream.operation.id"]
    trace_id, root_id = ids_of(operation)
    ours = [one for one in traces.spans() if int.from_bytes(one.trace_id) == trace_id]
    assert int.from_bytes(ask.span_id) == root_id
    assert not ask.parent_span_id
    assert {one.parent_span_id for one in ours if one is not ask} >= {ask.span_id}
    assert {"ask", "policy", "send", STOP, "post slack"} <= {one.name for one in ours}
    refused, taken = sorted(traces.named(STOP), key=lambda one: one.start_time_unix_nano)
    assert attributes(refused)["error.type"] == "InternalError"
    assert attributes(taken)["rpc.method"] == "DropLiveStream"
    assert attributes(taken)["tencentcloud.request_id"]
    (policy,) = traces.named("policy")
    assert attributes(policy)["stopstream.verdict"] == "none"
    planted = (SECRET, "txSecret", "xoxb-", "xapp-", "demo-secret-key", "AKID")
    sent = b"".join(_plain(body) for body in traces.raw)
    assert [one for one in planted if one.encode() in sent] == []


def _plain(body: bytes) -> bytes:
    return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body


async def test_collector_that_hangs_delays_neither_ack_nor_stop(
    process: tuple[Process, Workspace, CloudEmulator],
) -> None:
    """With a collector that never answers, stops go on, and SIGTERM is obeyed within 10 s."""
    program, slack, cloud = process
    async with collector() as traces:
        traces.hangs = True
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": traces.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}
        serving = await program.start("serve", env=env, quiet=True)
        await until(lambda: slack.delivery.sockets)
        bob = slack.person("U0BOB")
        assert is_stored(await bob.slash("/stopstream", "live stream1", INCIDENTS))
        await until(traces.asked.is_set)
        assert is_stored(await bob.slash("/stopstream", "live stream2", INCIDENTS))
        await until(lambda: len(cloud.ran("DropLiveStream")) == 2)
        began = time.monotonic()
        serving.send_signal(signal.SIGTERM)
        assert await serving.wait() == 0
        assert time.monotonic() - began < 10


async def test_check_says_that_the_extra_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An endpoint without what sends to it is one line of check, and no reason not to serve."""
    monkeypatch.setattr("bot.cli.traces.is_installed", lambda: False)
    async with emulated(tmp_path, limits=False) as world:
        settings = read_settings(
            **world.environment, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1"
        )
        async with Server(settings) as bot:
            assert bot.url
        await check(settings)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("FIX OTEL")]
    assert len(lines) == 1
    assert "pip install 'stopstream[otel]'" in lines[0]


async def test_nothing_of_it_is_loaded_without_an_endpoint() -> None:
    """Without an endpoint the extra costs nothing: it is not even imported."""
    code = (
        "import sys, bot.cli.serve; "
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    ran = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code], check=False)
    assert ran.returncode == 0
