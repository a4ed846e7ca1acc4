"""The emulated cloud's streams, tasks, rooms and sessions: what an action changes."""

import pytest

from bot.catalog.registry import by_api
from bot.model.actions import Json
from bot.sandbox.tencent.errors import CodeError
from bot.sandbox.tencent.server import CloudEmulator
from tests.support.tencent_sdk import KEYS, Clock


async def test_emulator_encoder_reconnects_unless_banned() -> None:
    """An encoder reconnects after a drop, but not before a ban is lifted or expires."""
    clock = Clock()
    stream = {"StreamName": "s", "DomainName": "d.example.com", "AppName": "live"}
    emulator = CloudEmulator(keys=KEYS, clock=clock)
    emulator.resources.put("stream", *stream.values(), returns_after=3.0)

    def run(api: str, **more: Json) -> dict[str, Json]:
        return emulator.resources.run(by_api(api), stream | more, emulator.now)

    def state() -> Json:
        return run("DescribeLiveStreamState")["StreamState"]

    assert state() == "active"
    run("DropLiveStream")
    assert state() == "inactive"
    clock.ahead += 3.1
    assert state() == "active"

    run("ForbidLiveStream")
    clock.ahead += 100.0
    assert state() == "forbid"
    other = stream | {"DomainName": "other.example.com"}
    assert emulator.resources.run(by_api("DescribeLiveStreamState"), other, emulator.now) == {
        "StreamState": "forbid"
    }, "a ban goes by the name alone"
    run("ResumeLiveStream")
    assert state() != "forbid"
    run("ForbidLiveStream")
    clock.ahead += 7 * 86_400 + 1
    assert state() == "active", "a ban ends by itself, and the encoder has waited"


class Played:
    """The emulated cloud without its door: what it answers, or its code."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.cloud = CloudEmulator(keys=KEYS, clock=self.clock)

    def __call__(self, api: str, **params: Json) -> dict[str, Json]:
        return self.cloud.resources.run(by_api(api), params, self.cloud.now)

    def code(self, api: str, **params: Json) -> str:
        with pytest.raises(CodeError) as caught:
            self(api, **params)
        return caught.value.code


STREAM: dict[str, Json] = {"StreamName": "s", "DomainName": "d.example.com", "AppName": "live"}
APP: dict[str, Json] = {"SdkAppId": 7}


def test_emulator_disabled_domain_has_no_streams() -> None:
    """A disabled domain has no live streams, and they return when it is enabled."""
    play, domain = Played(), {"DomainName": STREAM["DomainName"]}
    play.cloud.resources.put("domain", domain["DomainName"])
    play.cloud.resources.put("stream", *STREAM.values(), returns_after=3.0)
    play.cloud.resources.put("stream", "other", "other.example.com", "live")

    assert play("DescribeLiveStreamOnlineList", **domain)["TotalNum"] == 1
    play("ForbidLiveDomain", **domain)
    assert by_api("DescribeLiveDomain").effect_spec.read_state(
        play("DescribeLiveDomain", **domain)
    ) == ("disabled")
    play.clock.ahead += 10.0
    assert play("DescribeLiveStreamOnlineList", **domain)["TotalNum"] == 0
    assert play("DescribeLiveStreamOnlineList")["TotalNum"] == 1
    play("EnableLiveDomain", **domain)
    assert play("DescribeLiveStreamState", **STREAM) == {"StreamState": "active"}
    assert play.code("ForbidLiveDomain", DomainName="nobodys.example.com") == "ResourceNotFound"


def test_emulator_pages_stream_list() -> None:
    """The list of live streams is paged and filtered by application name."""
    play = Played()
    for number in range(25):
        play.cloud.resources.put("stream", f"s{number}", "d.example.com", "live")
    play.cloud.resources.put("stream", "s25", "d.example.com", "another")

    last = play("DescribeLiveStreamOnlineList", PageNum=3, PageSize=10)
    assert (last["TotalNum"], last["TotalPage"], last["PageNum"]) == (25, 3, 3)
    assert isinstance(last["OnlineInfo"], list)
    assert len(last["OnlineInfo"]) == 5
    assert {"StreamName": "s24", "DomainName": "d.example.com", "AppName": "live"} in (
        last["OnlineInfo"]
    )
    assert play("DescribeLiveStreamOnlineList", AppName="another")["TotalNum"] == 1


@pytest.mark.parametrize(
    ("asked", "listed"),
    [
        ({}, ["push.a.example", "push.b.example", "play.a.example"]),
        ({"DomainType": 0}, ["push.a.example", "push.b.example"]),
        ({"DomainType": 1}, ["play.a.example"]),
        ({"DomainStatus": 0}, ["push.b.example"]),
        ({"DomainStatus": 1, "DomainType": 0}, ["push.a.example"]),
        ({"DomainPrefix": "play."}, ["play.a.example"]),
        ({"DomainPrefix": "a.example"}, []),
        ({"PlayType": 2}, ["play.a.example"]),
        ({"PlayType": 3}, []),
        ({"IsDelayLive": 1}, ["push.b.example"]),
    ],
)
def test_emulator_filters_domains(asked: dict[str, Json], listed: list[str]) -> None:
    """The list of domains is filtered by state, type, area, kind and beginning."""
    play = Played()
    put = play.cloud.resources.put
    put("domain", "push.a.example", params={"DomainType": 0, "IsDelayLive": 0, "PlayType": 1})
    put("domain", "push.b.example", params={"DomainType": 0, "IsDelayLive": 1, "PlayType": 1})
    put("domain", "play.a.example", params={"DomainType": 1, "IsDelayLive": 0, "PlayType": 2})
    play("ForbidLiveDomain", DomainName="push.b.example")

    answer = play("DescribeLiveDomains", **asked)

    rows = answer["DomainList"]
    assert isinstance(rows, list)
    assert [row["Name"] for row in rows if isinstance(row, dict)] == listed
    assert [row["Status"] for row in rows if isinstance(row, dict)] == [
        int(name != "push.b.example") for name in listed
    ]
    assert answer["AllCount"] == len(listed)


def test_emulator_keeps_pad_and_delay_until_removed() -> None:
    """A pad or a delay is listed until it is removed."""
    play = Played()
    pad = {"PushDomainName" if name == "DomainName" else name: v for name, v in STREAM.items()}

    play("StartLivePadStream", **pad)
    assert play("DescribeLivePadStreamList", StreamName="s")["StreamInfoList"] == [STREAM]
    play("StopLivePadStream", **pad)
    assert play("DescribeLivePadStreamList", StreamName="s")["TotalNum"] == 0
    play("AddDelayLiveStream", **STREAM, DelayTime=60)
    assert play("DescribeLiveDelayInfoList") == {"DelayInfoList": [STREAM | {"DelayInterval": 60}]}
    play("ResumeDelayLiveStream", **STREAM)
    assert play("DescribeLiveDelayInfoList") == {"DelayInfoList": []}


def test_emulator_stops_task_once() -> None:
    """A started task can be stopped once and is then refused with the documented code."""
    play = Played()
    task = play("StartStreamIngest", **APP)["TaskId"]

    assert play("DescribeStreamIngest", **APP, TaskId=task) == {"Status": "InProgress"}
    assert play("UpdateStreamIngest", **APP, TaskId=task, IsPause=True) == {"Status": "InProgress"}
    play("StopStreamIngest", **APP, TaskId=task)
    assert play.code("StopStreamIngest", **APP, TaskId=task) == "FailedOperation.TaskFinished"
    assert play.code("UpdateStreamIngest", **APP, TaskId=task) == "FailedOperation.TaskNotExist"
    assert play("DescribeStreamIngest", **APP, TaskId=task) == {"Status": "NotExist"}
    recorded = play("CreateRecordTask", **STREAM, EndTime=int(play.cloud.now) + 3600)["TaskId"]
    play("StopRecordTask", TaskId=recorded)
    thing = play.cloud.resources.get("record-task", recorded)
    assert thing is not None
    assert thing.state == "finished"
    late = int(play.cloud.now) + 86_500
    assert play.code("CreateRecordTask", **STREAM, EndTime=late) == "InvalidParameter"


def test_emulator_lists_recordings_by_stream_and_period() -> None:
    """Recording tasks are listed by stream and period, with the time they were stopped."""
    play = Played()
    now = int(play.cloud.now)
    period: dict[str, Json] = {"StartTime": now - 60, "EndTime": now + 86_400}
    task = play("CreateRecordTask", **STREAM, EndTime=now + 3600)["TaskId"]
    play("CreateRecordTask", **STREAM | {"StreamName": "t"}, EndTime=now + 3600)
    play("CreateRecordTask", **STREAM | {"AppName": "other"}, EndTime=now + 3600)

    def rows(**asked: Json) -> Json:
        return play("DescribeRecordTask", **period | {"StreamName": "s"} | asked)["TaskList"]

    row = {"TaskId": task, **STREAM, "StartTime": now, "EndTime": now + 3600, "Stopped": 0}
    assert rows() == [row]
    assert rows(StartTime=now + 1) == rows(EndTime=now + 3599) == []
    assert rows(DomainName="e.example.com") == []
    play.clock.ahead += 9.0
    play("StopRecordTask", TaskId=task)
    assert rows() == [row | {"Stopped": int(play.cloud.now)}]
    assert play.code("DescribeRecordTask", **period | {"StartTime": now - 7 * 86_400}) == (
        "InvalidParameter"
    )
    assert play.code("DescribeRecordTask", StartTime=now, EndTime=now) == "InvalidParameter"


@pytest.mark.parametrize(
    ("kind", "key", "stop", "code"),
    [
        ("room", {"RoomId": 1} | APP, "DismissRoom", "FailedOperation.RoomNotExist"),
        ("room", {"RoomId": 1} | APP, "RemoveUser", ""),
        ("named-room", {"RoomId": "1"} | APP, "DismissRoomByStrRoomId", "RoomNotExist"),
        ("named-room", {"RoomId": "1"} | APP, "RemoveUserByStrRoomId", ""),
        ("cdn", {"TaskId": "t"} | APP, "StopPublishCdnStream", "ResourceNotFound"),
        ("cloud-record", {"TaskId": "t"} | APP, "DeleteCloudRecording", "ResourceNotFound"),
        ("web-record", {"TaskId": "t"}, "StopWebRecord", "FailedOperation.TaskNotExist"),
    ],
)
def test_emulator_ended_resource_stays_ended(
    kind: str, key: dict[str, Json], stop: str, code: str
) -> None:
    """An ended resource reads as absent, and ending it again is refused or changes nothing."""
    play = Played()
    play.cloud.resources.put(kind, *key.values())

    play(stop, **key)
    if code:
        assert play.code(stop, **key).endswith(code)
    else:
        play(stop, **key)
    look = by_api(stop).status_read
    assert look is None or play.code(look, **key) == by_api(look).effect_spec.absent


def test_emulator_separates_numeric_and_named_rooms() -> None:
    """A room with a numeric ID is not the room of the same name."""
    play = Played()
    play.cloud.resources.put("room", 1, 7)

    assert play.code("DismissRoomByStrRoomId", RoomId="1", **APP).endswith("RoomNotExist")
    play("DismissRoom", RoomId=1, **APP)
    assert play.code("RemoveUser", RoomId=1, **APP).endswith("RoomNotExist")


def test_emulator_destroyed_session_refuses_actions() -> None:
    """A destroyed session is no longer counted as running and refuses further actions."""
    play = Played()
    play.cloud.resources.put("session", "u1")
    play.cloud.resources.put("session", "u2", state="idle")

    assert play("DescribeConcurrentCount") == {"Total": 2, "Running": 2}
    play("DestroySession", UserId="u1")
    assert play("DescribeConcurrentCount")["Running"] == 1
    for api in ("StopPublishStream", "StartPublishStream", "StartPublishStreamWithURL"):
        assert play.code(api, UserId="u1") == "ResourceNotFound.SessionNotFound"
    play("StartPublishStreamWithURL", UserId="u2", PublishStreamURL="rtmp://a.example.com/x")
