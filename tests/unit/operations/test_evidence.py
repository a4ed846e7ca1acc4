"""How long a stop waits for its evidence, in virtual time, whatever hangs."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from bot.catalog.registry import by_api
from bot.model.commands import Command
from bot.model.operations import Evidence, Operation, State
from bot.operations.evidence import EvidenceTaker
from bot.policy.schema import EvidenceSettings
from tests.simulation.virtual_time import VirtualLoop
from tests.support.off_air import ended

BAN = Command(
    by_api("ForbidLiveStream"),
    {"StreamName": "stream1", "DomainName": "push.example.com", "AppName": "live"},
)
SNAPSHOT = EvidenceSettings.model_validate(
    {"actions": ["Forbid*"], "take": "snapshot", "template": 1234}
)


async def _hangs(*_: object) -> None:
    await asyncio.Event().wait()


def _after(seconds: float) -> Callable[..., Awaitable[Any]]:
    async def answers(*_: object) -> Any:
        await asyncio.sleep(seconds)
        return SimpleNamespace(request_id="r1", body={"TaskId": "task-7"})

    return answers


def _taken(**parts: Callable[..., Awaitable[Any]]) -> tuple[Evidence, float]:
    """Return what is taken where the parts behave like this, and the seconds that it took."""
    at_once = {"acquire": _after(0), "call": _after(0), "record": _after(0)} | parts
    fake: Any = SimpleNamespace(
        audit_log=SimpleNamespace(record=at_once["record"]),
        acquire=at_once["acquire"],
        call=at_once["call"],
        region=lambda *_: "ap-guangzhou",
    )
    taker = EvidenceTaker(
        store=fake,
        cloud=fake,
        limiter=fake,
        authorizer=fake,
        policy=lambda: fake,
        clock=lambda: 0.0,
    )
    operation: Operation = ended("ForbidLiveStream", State.DUE)
    loop = VirtualLoop()
    try:
        found = loop.run_until_complete(taker.take(operation, BAN, SNAPSHOT))
        return found, loop.passed
    finally:
        loop.close()


@pytest.mark.parametrize("part", ["acquire", "call", "record"])
def test_whatever_hangs_costs_two_seconds(part: str) -> None:
    """A slot that never comes, a cloud or a database that never answers: 2 s, and the stop goes."""
    found, seconds = _taken(**{part: _hangs})

    assert seconds == 2.0
    assert found == Evidence("snapshot", problem="no answer within 2 s")


@pytest.mark.parametrize("each", [0.0, 0.1, 0.6])
def test_all_that_it_takes_shares_the_two_seconds(each: float) -> None:
    """The slot, the answer and the record together take 2 s at most."""
    found, seconds = _taken(acquire=_after(each), call=_after(each), record=_after(each))

    assert seconds == pytest.approx(3 * each)
    assert found == Evidence("snapshot", "task-7")
    late, limited = _taken(acquire=_after(0.9), call=_after(0.9), record=_after(0.9))
    assert (late.problem, limited) == ("no answer within 2 s", 2.0)
