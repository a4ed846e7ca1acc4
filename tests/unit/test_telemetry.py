"""What is logged: no secret in whatever form, and of libraries what warns alone."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from bot import telemetry
from tests.trials.attack.hostile_texts import UNSEEN

Logs = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def _restored() -> Iterator[None]:
    root, own = logging.getLogger(), logging.getLogger("stopstream")
    before = root.handlers[:], root.level, own.level
    configured = structlog.get_config()
    yield
    structlog.configure(**configured)
    root.handlers[:], root.level, own.level = before
    root.setLevel(before[1])
    own.setLevel(before[2])


@pytest.fixture
def logs(_restored: None) -> Logs:
    """The lines of a program that logs at debug, and what it knows to be a secret."""
    stream = io.StringIO()
    telemetry.configure("json", stream, "DEBUG", secrets=("PLANTED-42", ""))
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


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


@pytest.mark.usefixtures("_restored")
@pytest.mark.parametrize("hostile", UNSEEN)
def test_console_shows_nothing_that_a_terminal_obeys(hostile: str) -> None:
    """Neither in a value, nor in what happened, nor in a traceback."""
    stream = io.StringIO()
    telemetry.configure("console", stream)
    text = f"x{hostile}]8;;http://evil"
    structlog.get_logger("stopstream.x").info("ended", code=text, why=f"of {text}")
    logging.getLogger("a.library").warning(text)
    structlog.get_logger("stopstream.x").error("broken", exc_info=ValueError(text))
    shown = stream.getvalue()
    assert hostile not in shown
    assert shown.count("evil") >= 4
    assert "ValueError: x" in shown


@pytest.mark.usefixtures("_restored")
def test_console_line_is_one_line() -> None:
    """Whatever a value holds: nobody writes a line of their own into the log."""
    stream = io.StringIO()
    telemetry.configure("console", stream)
    structlog.get_logger("stopstream.x").info("ended", code="x\nended", other="a\r\nb c")
    logging.getLogger("a.library").warning("y\nended")
    assert len(stream.getvalue().splitlines()) == 2
