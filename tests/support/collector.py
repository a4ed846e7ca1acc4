"""A collector of traces on loopback, which takes OTLP over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed")

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)


@dataclass
class Collector:
    """What has arrived.

    Attributes:
        raw: Every request, byte for byte.
        hangs: Whether requests get no answer.
        asked: Set by the first request.
    """

    url: str = ""
    raw: list[bytes] = field(default_factory=list[bytes])
    hangs: bool = False
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    def spans(self) -> list[Any]:
        return [
            span
            for body in self.raw
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans() if span.name == name]

    async def serve(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.asked.set()
        if self.hangs:
            await asyncio.Event().wait()
        self.raw.append(body)
        return web.Response(body=b"", content_type="application/x-protobuf")


@asynccontextmanager
async def collector() -> AsyncIterator[Collector]:
    """Run a collector."""
    found = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", found.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield found
    finally:
        await runner.cleanup()


def attributes(span: Any) -> dict[str, Any]:
    """Return the attributes of a span."""
    return {
        one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in span.attributes
    }
