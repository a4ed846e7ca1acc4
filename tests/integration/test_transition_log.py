"""What the log says of an operation: one line at its end, and nothing that is secret."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from bot import telemetry
from bot.errors import ApiError, NoAnswerError
from bot.model.operations import Choice, State
from bot.operations.results import Accepted
from tests.conftest import House
from tests.support.fakes import ALICE, BOB, MALLORY
from tests.support.waiting import until

PLANTED = "5ECRE7PLANTED"


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """All that is logged, as `serve` logs it with steps."""
    before, root, ours = (
        structlog.get_config(),
        logging.getLogger(),
        logging.getLogger("stopstream"),
    )
    handlers, level, our_level = list(root.handlers), root.level, ours.level
    # Another test may have had Bolt, whose app has this name, set it.
    ours.setLevel(logging.NOTSET)
    stream = io.StringIO()
    telemetry.configure("json", stream=stream, level="DEBUG")
    # What is cached would outlive the test.
    structlog.configure(cache_logger_on_first_use=False)
    # Another test may have had the one of the module cached.
    fresh = structlog.get_logger("stopstream.operations")
    monkeypatch.setattr("bot.operations.transition_log.log", fresh)
    try:
        yield stream
    finally:
        structlog.configure(**before)
        root.handlers[:] = handlers
        root.setLevel(level)
        ours.setLevel(our_level)


def lines(stream: io.StringIO, event: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in stream.getvalue().splitlines()]
    return [line for line in found if line["event"] == event]


async def test_accepted_stop_is_one_line_with_what_people_search_for(
    house: House, said: io.StringIO
) -> None:
    """Who, where, what, in which account, its ending, RequestId and how long it took."""
    operation = await house.run("live stream1 case=INC-42")

    (line,) = lines(said, "ended")
    assert line["operation"] == operation.id
    assert line["ending"] == "accepted"
    assert line["level"] == "info"
    assert (line["user"], line["channel"], line["via"]) == ("U0ALICE", "C0INC", "command")
    assert (line["action"], line["account"]) == ("DropLiveStream", "default")
    assert (line["target"], line["case"]) == ("stream1", "INC-42")
    assert line["request_id"] == operation.request_id
    assert line["took"] >= 0
    assert line["cloud"] >= 0
    assert "code" not in line
    steps = lines(said, "moved")
    assert {step["level"] for step in steps} == {"debug"}
    assert steps[-1]["state"] == "running"


@pytest.mark.parametrize(
    ("fault", "ending", "code"),
    [
        (ApiError("InvalidParameter", "no", request_id="r1"), "failed", "InvalidParameter"),
        (NoAnswerError("gone"), "unknown", None),
    ],
)
async def test_failure_is_one_line_with_its_code(
    house: House, said: io.StringIO, fault: Exception, ending: str, code: str | None
) -> None:
    """Whatever it comes to, it is one line."""
    house.cloud.faults.append(fault)  # type: ignore[arg-type] # of either kind
    await house.run("start car user1", verb=None)

    (line,) = lines(said, "ended")
    assert (line["ending"], line.get("code")) == (ending, code)


async def test_refusals_mistakes_and_decisions_are_lines_too(
    house: House, said: io.StringIO
) -> None:
    """Also what never reached Tencent Cloud."""
    await house.run("live stream1", MALLORY)
    await house.ask("lvie stream1")
    reply = await house.ask("ban stream2", BOB)
    assert isinstance(reply, Accepted)

    async def waits() -> bool:
        return (await house.now(reply.operation.id)).state is State.WAITING

    await until(waits)
    await house.decide(reply.operation.id, Choice.CANCEL, BOB)

    endings = [line["ending"] for line in lines(said, "ended")]
    assert endings == ["denied", "invalid", "cancelled"]


async def test_planted_secrets_reach_no_line(house: House, said: io.StringIO) -> None:
    """Stream keys, tokens and signatures that people or the cloud send are taken out."""
    house.cloud.faults.append(
        ApiError("FailedOperation", f"txSecret={PLANTED}&txTime=1", request_id="r1")
    )
    ingest = f"pullurl=rtmp://pull.example.com/live/s?key={PLANTED} user=u sig={PLANTED}"
    for text in (
        f"stop live rtmp://push.example.com/live/stream1?txSecret={PLANTED}&txTime=6789",
        f"start ingest 1234 {ingest} sdkappid=1400000000 type=1 region=ap-singapore",
        f"lvie xoxb-{PLANTED}-1 xapp-{PLANTED}",
    ):
        reply = await house.ask(text, ALICE, verb=None)
        if isinstance(reply, Accepted):
            await house.ended(reply.operation.id)

    assert lines(said, "ended")
    assert PLANTED not in said.getvalue()
    assert PLANTED not in repr(list(house.store.audit_log.records().__enter__()))
