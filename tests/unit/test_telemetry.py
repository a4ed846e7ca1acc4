"""What is logged: no secret in whatever form, and of libraries what warns alone."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from bot import telemetry

Logs = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def logs() -> Iterator[Logs]:
    """The lines of a program that logs at debug, and what it knows to be a secret."""
    root, own = logging.getLogger(), logging.getLogger("stopstream")
    before = root.handlers[:], root.level, own.level
    configured = structlog.get_config()
    stream = io.StringIO()
    telemetry.configure("json", stream, "DEBUG", secrets=("PLANTED-42", ""))
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.configure(**configured)
    root.handlers[:], root.level, own.level = before
    root.setLevel(before[1])
    own.setLevel(before[2])


class Foreign:
    """A value that renders itself."""

    def __repr__(self) -> str:
        return "<Foreign token=PLANTED-1>"


def _secret() -> None:
    raise ValueError("cannot use PLANTED-42")


@pytest.mark.parametrize(
    "value",
    [
        "the key is PLANTED-42",
        ["txSecret=PLANTED-1", ("PLANTED-42",)],
        {"token": "PLANTED-1", "deeper": [{"secret_key": "PLANTED-1"}]},
        Foreign(),
        ValueError("wsSecret=PLANTED-1"),
        b"password=PLANTED-1",
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_value_of_a_line_shows_a_secret(value: object, logs: Logs) -> None:
    """Secrets are taken out of texts, lists, mappings, errors and what renders itself."""
    structlog.get_logger("stopstream.test").info("it happens", value=value, count=3)

    (line,) = logs()
    assert "PLANTED" not in json.dumps(line)
    assert line["count"] == 3


def test_no_traceback_shows_a_secret(logs: Logs) -> None:
    """A traceback is a text like any other, of the program as of a library."""
    try:
        _secret()
    except ValueError:
        structlog.get_logger("stopstream.test").exception("it fails")
        logging.getLogger("library").exception("it fails with %s", "token=PLANTED-1")

    first, second = logs()
    assert "PLANTED" not in json.dumps([first, second])
    assert "ValueError" in first["exception"]


def test_of_libraries_warnings_alone_are_logged(logs: Logs) -> None:
    """At debug, the program tells its steps; libraries, which log payloads there, do not."""
    for name in ("sqlalchemy.engine.Engine", "aiohttp.client", "slack_sdk", "psycopg", "asyncio"):
        logger = logging.getLogger(name)
        logger.debug("a payload")
        logger.info("a statement with %s", "parameters")
    logging.getLogger("library").warning("it is slow")
    structlog.get_logger("stopstream.test").debug("a step")

    assert [line["event"] for line in logs()] == ["it is slow", "a step"]
