"""Logs; they never contain a payload, a header or a secret."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import structlog

from bot.redact import redact

_LONGEST = 20_000
"""Characters of a value in the log: a traceback may hold what a stranger has sent."""


def _without_secrets(
    _logger: Any, _name: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = redact(value, _LONGEST)
    return event


def configure(
    form: Literal["json", "console"] | None,
    stream: TextIO = sys.stderr,
    level: str = "INFO",
) -> None:
    """Send all logs, the libraries' included, to one stream in one form.

    Args:
        form: None takes `console` on a terminal and `json` elsewhere.
        level: The lowest that is logged, by its name in `logging`.
    """
    lowest = getattr(logging, level)
    console = form == "console" or (form is None and stream.isatty())
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _without_secrets,
    ]
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty())
        if console
        else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(lowest)
    # Their INFO logs every request, and their DEBUG prints payloads.
    for noisy in ("aiohttp.access", "httpx", "httpcore", "alembic", "slack_bolt", "slack_sdk"):
        logging.getLogger(noisy).setLevel(max(lowest, logging.WARNING))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        cache_logger_on_first_use=True,
    )
