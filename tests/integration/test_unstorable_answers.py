"""What no database can hold: an answer ends its operation all the same, a notice is stored."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

import pytest

from bot.cli.alert_sources import AlertSource
from bot.errors import ApiError
from bot.hooks import generic
from bot.hooks.exchange import HookRequest
from bot.model.actions import Effect
from bot.model.commands import Command
from bot.model.messages import MessageKind
from bot.model.operations import Answer, State
from bot.model.ports import always
from bot.storage.store import Store
from tests.conftest import built
from tests.support.fakes import FakeCloud
from tests.support.notices import SINCE

LONE = "r\ud800"


@dataclass
class PoisonedCloud(FakeCloud):
    """Accepts everything under a RequestId that is no UTF-8."""

    async def call(self, command: Command, may_leave: Callable[[], bool] = always) -> Answer:
        answer = await FakeCloud.call(self, command, may_leave)
        if command.action.effect is Effect.READ:
            return answer
        return Answer(LONE, {"Name": LONE}, 0.01)


@pytest.mark.parametrize("text", ["live stream1", "start car user1", "ban stream1"])
async def test_unstorable_answer_ends_accepted_once(quick_store: Store, text: str) -> None:
    """What the cloud accepted under a poisoned RequestId ends accepted, sent and told once."""
    cloud = PoisonedCloud()
    async with built(quick_store, cloud=cloud) as house, asyncio.timeout(60):
        verb = None if text.startswith("start") else Effect.STOP
        operation = await house.run(text, verb=verb)

    assert operation.state is State.ACCEPTED
    assert "can't save" in operation.detail
    assert [one.action.effect for one in cloud.sent].count(Effect.READ) == len(cloud.sent) - 1
    assert operation.attempts == 1
    assert house.heard(MessageKind.ENDING) == 1


@pytest.mark.parametrize("fault", [("c", "m", LONE), ("c", LONE, "r"), (LONE, "m", "r")])
async def test_unstorable_refusal_ends_failed_once(
    quick_store: Store, fault: tuple[str, str, str]
) -> None:
    """A refusal that cannot be stored ends failed, sent and told once."""
    code, message, request_id = fault
    cloud = FakeCloud(faults=[ApiError(code, message, request_id=request_id)])
    async with built(quick_store, cloud=cloud) as house, asyncio.timeout(60):
        operation = await house.run("live stream1")

    assert operation.state is State.FAILED
    assert len(cloud.sent) == 1
    assert house.heard(MessageKind.ENDING) == 1


async def test_unstorable_notice_is_stored_and_shown(quick_store: Store) -> None:
    """A notice with half characters and NUL is taken at once: refused, it would come for ever."""
    poison = f"{LONE}\x00"
    said = {"id": poison, "title": poison, "text": poison, "severity": poison}
    body = json.dumps({**said, "labels": {poison: poison}, "streams": [poison]}).encode()
    async with built(quick_store) as house:
        check, parse = generic.check, generic.parse
        source = AlertSource(generic.NAME, ("secret",), house.alerts, check, parse)
        answer = await source.take(HookRequest({}, body, SINCE))
        await house.courier.drain()

    assert answer.status == HTTPStatus.OK
    assert len(house.desk.alerts) == 1
