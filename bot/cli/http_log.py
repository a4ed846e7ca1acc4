"""Writes what the HTTP server complains of: about malformed requests one short line a second."""

import logging
import time
from collections.abc import Callable

import structlog
from aiohttp.http_exceptions import HttpProcessingError

log = structlog.get_logger("stopstream.http")


class HttpLog(logging.Handler):
    """Takes the complaints of the server's library, and of what stands before it.

    Args:
        clock: Seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._count = 0
        self._next = 0.0

    def logger(self) -> logging.Logger:
        """Return the logger for the server's library, without a traceback for each request."""
        # Not the one that `log` writes to: its lines would come back here.
        logger = logging.getLogger("stopstream.http.server")
        logger.setLevel(logging.WARNING)
        logger.propagate = False
        logger.handlers = [self]
        return logger

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, or count it for the next one."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            self.malformed(type(error).__name__)
        else:
            log.error("the HTTP server fails", why=record.getMessage(), exc_info=error)

    def malformed(self, why: str) -> None:
        """Count a request that could not be read."""
        self._count += 1
        if (now := self._clock()) >= self._next:
            log.warning("malformed requests", count=self._count, last=why)
            self._count, self._next = 0, now + 1.0
