"""Sends spans to a collector by OTLP over HTTP; needs the extra `otel`.

A thread of the SDK's does the sending, from a bounded queue: nothing here waits for the collector.
The ids of a trace and of its first span follow from the operation's id, so that every replica adds
to the same trace, and nothing of it has to be stored.

Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)

from bot.traces import ROOT, Attributes, Kind, Span, ids_of

log = structlog.get_logger("stopstream.traces")

_PATIENCE = 5.0
"""Seconds that a collector may take to answer."""

_GRACE = 1.0
"""Seconds for which the last spans are sent when the bot stops."""

_KINDS = {
    Kind.INTERNAL: SpanKind.INTERNAL,
    Kind.SERVER: SpanKind.SERVER,
    Kind.CLIENT: SpanKind.CLIENT,
    Kind.PRODUCER: SpanKind.PRODUCER,
}


class OtlpTraces:
    """Makes spans and has them sent.

    Args:
        endpoint: Base address of the collector, as OTEL_EXPORTER_OTLP_ENDPOINT says it.
        version: Of this release.
        replica: Name of this process.
    """

    def __init__(self, endpoint: str, *, version: str, replica: str) -> None:
        # Its own lines repeat each failure with a traceback; `_Exporter` says it once.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._ids = _Ids()
        # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say takes precedence.
        ours = {"service.name": "stopstream", "service.version": version}
        given = Resource.create({"service.instance.id": replica})
        named = str(given.attributes.get("service.name", "")).startswith("unknown_service")
        self._provider = TracerProvider(
            resource=given.merge(Resource(ours)) if named else Resource(ours).merge(given),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_PATIENCE)
        self._provider.add_span_processor(BatchSpanProcessor(_Exporter(exporter)))
        self._tracer = self._provider.get_tracer("stopstream", version)

    @contextlib.contextmanager
    def span(
        self,
        operation: str,
        name: str,
        kind: Kind = Kind.INTERNAL,
        attributes: Attributes | None = None,
    ) -> Iterator[Span]:
        """Return a span that lasts as long as its context; see Traces."""
        trace_id, root_id = ids_of(operation)
        about = {"stopstream.operation.id": operation, **(attributes or {})}
        if name == ROOT:
            self._ids.next = trace_id, root_id
            parent = trace.set_span_in_context(trace.INVALID_SPAN)
        else:
            parent = self._beneath(trace_id, root_id)
        span = self._tracer.start_span(name, parent, _KINDS[kind], about)
        self._ids.next = None
        made = _OtlpSpan(span)
        try:
            yield made
        except BaseException as error:
            # Never the message, which may be anybody's text.
            if not made.failed:
                made.fail(type(error).__name__)
            raise
        finally:
            span.end()

    def _beneath(self, trace_id: int, root_id: int) -> Any:
        """Return the context of a trace's first span, whichever replica has made it."""
        decision = self._provider.sampler.should_sample(None, trace_id, ROOT).decision
        sampled = decision is Decision.RECORD_AND_SAMPLE
        flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
        root = SpanContext(trace_id, root_id, is_remote=True, trace_flags=flags)
        return trace.set_span_in_context(NonRecordingSpan(root))

    async def close(self) -> None:
        """Send what is left, for a moment; a collector that is away is not waited for."""
        closing = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        closing.start()
        await asyncio.to_thread(closing.join, _GRACE)


class _OtlpSpan:
    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self.failed = False

    def note(self, attributes: Attributes) -> None:
        self._span.set_attributes(attributes)

    def fail(self, kind: str) -> None:
        self.failed = True
        self._span.set_attribute("error.type", kind)
        self._span.set_status(Status(StatusCode.ERROR))


class _Ids(IdGenerator):  # type: ignore[misc, unused-ignore] # untyped where the extra is not installed
    """Random ids, but for the next span where they are given.

    Attributes:
        next: Ids of the trace and of the span, of which nothing is given away in between: spans
            begin in the event loop, and without waiting.
    """

    def __init__(self) -> None:
        self.next: tuple[int, int] | None = None
        self._random = RandomIdGenerator()

    def generate_trace_id(self) -> int:
        return self.next[0] if self.next else self._random.generate_trace_id()

    def generate_span_id(self) -> int:
        return self.next[1] if self.next else self._random.generate_span_id()


class _Exporter(SpanExporter):  # type: ignore[misc, unused-ignore] # see above
    """Sends by another exporter, and says once when that begins to fail, and when it is over."""

    def __init__(self, exporter: OTLPSpanExporter) -> None:
        self._exporter = exporter
        self._fails = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        failed = result is not SpanExportResult.SUCCESS
        if failed and not self._fails:
            log.warning("the collector does not take traces; they are dropped")
        elif self._fails and not failed:
            log.info("the collector takes traces again")
        self._fails = failed
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call, unused-ignore] # the SDK's

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return bool(self._exporter.force_flush(timeout_millis))
