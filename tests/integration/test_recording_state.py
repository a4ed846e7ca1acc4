"""The card of a stream says whether it is being recorded, and by which tasks."""

from pathlib import Path

import pytest

from bot.catalog import readings as sights
from bot.catalog.registry import by_api
from bot.model.actions import Json, Reading
from bot.model.commands import Command
from bot.model.operations import State
from bot.storage.store import Store
from tests.conftest import built
from tests.support.fakes import FakeCloud
from tests.support.previews import ONLINE, POLICY, SINCE, UNKNOWN, card, shown
from tests.support.worlds import sandbox

TASK: dict[str, Json] = {
    "TaskId": "task-1",
    "StreamName": "stream1",
    "StartTime": int(SINCE),
    "EndTime": int(SINCE) + 3600,
    "Stopped": 0,
}


RECORDED = "Being recorded by the tasks {}."
UNRECORDED = "No recording task is running"


async def recorded(
    store: Store, body: dict[str, Json], text: str = "stop live stream1", policy: str = POLICY
) -> tuple[str, list[Command]]:
    """Ask at the time SINCE; give the card, and how the recordings were read."""
    cloud = FakeCloud(bodies=ONLINE | {"DescribeRecordTask": body})
    async with built(store, policy=policy, cloud=cloud, clock=lambda: SINCE) as house:
        operation = await house.run(text, verb=None)
        assert operation.state is State.WAITING
    return shown(operation), [c for c in cloud.sent if c.action.api == "DescribeRecordTask"]


async def test_readings_name_recording_tasks_on_card(quick_store: Store) -> None:
    """The card names the tasks that record the stream, read in a window around now."""
    other = TASK | {"TaskId": "<task-2>", "EndTime": int(SINCE) + 1}
    text, (read,) = await recorded(quick_store, {"TaskList": [TASK, other], "ScrollToken": ""})

    assert "Being recorded by the tasks `task-1, &lt;task-2&gt;`." in text
    assert read.region == "ap-guangzhou"
    assert read.params == {
        "StreamName": "stream1",
        "DomainName": "push.example.com",
        "AppName": "live",
        "StartTime": int(SINCE) - 25 * 3600,
        "EndTime": int(SINCE) + 25 * 3600,
    }


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"TaskList": []}, UNRECORDED),
        ({"TaskList": None, "ScrollToken": None}, UNRECORDED),
        ({"TaskList": [TASK | {"Stopped": 1_795_168_700}]}, UNRECORDED),
        ({"TaskList": [TASK | {"EndTime": int(SINCE)}]}, UNRECORDED),
        ({"TaskList": [TASK | {"StartTime": int(SINCE) + 1}]}, UNRECORDED),
        ({}, UNKNOWN),
        ({"TaskList": "x"}, UNKNOWN),
        ({"TaskList": ["x"]}, UNKNOWN),
        ({"TaskList": [TASK | {"Stopped": None}]}, UNKNOWN),
        ({"TaskList": [TASK | {"TaskId": ""}]}, UNKNOWN),
        ({"TaskList": [TASK | {"EndTime": "soon"}]}, UNKNOWN),
        ({"TaskList": [], "ScrollToken": "more"}, UNKNOWN),
    ],
)
def test_readings_tell_no_recording_from_unknown(body: dict[str, Json], says: str) -> None:
    """The reading tells a stream that no task records from one whose tasks are unknown."""
    read = by_api("DescribeRecordTask")
    (told,) = sights.describe(read, {"StreamName": "stream1"}, body, SINCE)

    assert told.words.startswith(says)
    assert not told.values


def test_readings_omit_stopped_recording_tasks() -> None:
    """A stopped recording task is not named beside a running one."""
    read = by_api("DescribeRecordTask")
    rows: list[Json] = [TASK | {"TaskId": "old", "Stopped": 1}, TASK]
    body: dict[str, Json] = {"TaskList": rows, "ScrollToken": "more"}

    assert list(sights.describe(read, {"StreamName": "stream1"}, body, SINCE)) == [
        Reading(RECORDED, ("task-1",))
    ]


@pytest.mark.parametrize(
    "text",
    [
        "stop live s",
        "stop ban s",
        "start live s",
        "start pad s",
        "stop pad s",
        "start delay s seconds=9",
        "stop delay s",
    ],
)
async def test_readings_show_recording_for_every_stream_action(
    quick_store: Store, text: str
) -> None:
    """The card of every action on a stream says whether the stream is being recorded."""
    policy = POLICY.replace('actions: ["Drop*"], approval', 'actions: ["*Stream"], approval')
    shows, (read,) = await recorded(quick_store, {"TaskList": [TASK]}, text, policy)

    assert "Being recorded by the tasks `task-1`." in shows
    assert (read.params["StreamName"], read.params["DomainName"]) == ("s", "push.example.com")


async def test_readings_show_recording_on_sandbox_card(tmp_path: Path) -> None:
    """In the sandbox the card names the task that records the stream."""
    async with sandbox(tmp_path, socket=False, limits=False) as world:
        root = await card(world, "ban stream2 for=1h", "Confirm")

    assert "Being recorded by the tasks `recording-1`." in root.text
