"""Opens what sends traces, if an endpoint is set and the extra for it is installed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec

import structlog

from bot.cli.settings import Settings
from bot.release import version
from bot.traces import NO_TRACES, Traces

log = structlog.get_logger("stopstream.traces")


def missing_extra(settings: Settings) -> str:
    """Return why traces cannot be sent although their endpoint is set; empty if they can."""
    if not settings.otlp_endpoint or is_installed():
        return ""
    return (
        "OTEL_EXPORTER_OTLP_ENDPOINT is set, and what sends traces is not installed: pip install "
        "'stopstream[otel]', or unset it"
    )


def is_installed() -> bool:
    """Return whether the extra is installed."""
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False


@asynccontextmanager
async def open_traces(settings: Settings, *, replica: str) -> AsyncIterator[Traces]:
    """Yield what makes spans; it sends what is left when the bot stops.

    Args:
        replica: Name of this process.
    """
    missing = missing_extra(settings)
    if missing:
        log.warning("no traces are sent", why=missing)
    if missing or not settings.otlp_endpoint:
        yield NO_TRACES
        return
    # Imported only where it is used: it takes long, and need not be installed.
    from bot.cli.otlp import OtlpTraces  # noqa: PLC0415 (see above)

    traces = OtlpTraces(settings.otlp_endpoint, version=version(), replica=replica)
    try:
        yield traces
    finally:
        await traces.close()
