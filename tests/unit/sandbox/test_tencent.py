"""The emulated cloud, driven by the official SDK: no mirror of our own mistakes."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from tencentcloud.car.v20220110 import car_client
from tencentcloud.car.v20220110 import models as car_models
from tencentcloud.common import credential
from tencentcloud.common.common_client import CommonClient
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.live.v20180801 import live_client
from tencentcloud.live.v20180801 import models as live_models
from tencentcloud.trtc.v20190722 import models as trtc_models
from tencentcloud.trtc.v20190722 import trtc_client

from bot.catalog.registry import ACTIONS, by_api
from bot.commands.formatting import example
from bot.commands.parser import parse
from bot.commands.vocabulary import Vocabulary
from bot.model.actions import Action, EffectSpec, Emulation, Json, ResourceType
from bot.model.commands import Command
from bot.sandbox.tencent.authentication import Key
from bot.sandbox.tencent.errors import CodeError
from bot.sandbox.tencent.faults import Fault
from bot.sandbox.tencent.server import CloudEmulator
from bot.tencent import tc3
from bot.tencent.client import TencentCloud
from bot.tencent.credentials import Fixed
from tests.support.fakes import made_up

# The SDK's own code warns on this Python; what it sends is what matters here.
pytestmark = pytest.mark.filterwarnings("default")

KEYS = {
    "AKIDGOOD": Key("good"),
    "AKIDTEMPORARY": Key("temporary", token="token"),
    "AKIDINTL": Key("intl", site="intl"),
}
CLIENTS = {
    "live": (live_client.LiveClient, live_models),
    "trtc": (trtc_client.TrtcClient, trtc_models),
    "car": (car_client.CarClient, car_models),
}


class Clock:
    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        import time  # noqa: PLC0415 (the SDK reads the real clock, so this follows it)

        return time.time() + self.ahead


@pytest.fixture
async def cloud() -> AsyncIterator[CloudEmulator]:
    async with CloudEmulator(keys=KEYS, clock=Clock()) as emulator:
        yield emulator


def region(action: Action) -> str:
    return action.regions[action.product.site][0] if action.regions else ""


def profile(cloud: CloudEmulator, method: str = "POST") -> ClientProfile:
    http = HttpProfile(
        protocol="http", endpoint=cloud.url.removeprefix("http://"), reqMethod=method
    )
    return ClientProfile(httpProfile=http)


def common(
    cloud: CloudEmulator,
    action: Action,
    key: tuple[str, ...] = ("AKIDGOOD", "good"),
    method: str = "POST",
) -> CommonClient:
    return CommonClient(
        action.product.name,
        action.product.version,
        credential.Credential(*key),
        region(action),
        profile=profile(cloud, method),
    )


async def code_of(call: Callable[[], Any]) -> str:
    try:
        await asyncio.to_thread(call)
    except TencentCloudSDKException as error:
        assert error.requestId
        return str(error.code)
    return ""


def put(cloud: CloudEmulator, action: Action) -> None:
    given = made_up(action)
    cloud.resources.put(
        action.effect_spec.resource_type.name,
        *(given.get(name, "live") for name in action.effect_spec.key),
    )


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: a.api)
async def test_emulator_accepts_common_sdk_client(
    cloud: CloudEmulator, action: Action, method: str
) -> None:
    """The generic SDK client runs every action over POST and GET."""
    put(cloud, action)
    client = common(cloud, action, method=method)

    answer = await asyncio.to_thread(client.call_json, action.api, made_up(action))

    assert answer["Response"]["RequestId"] == cloud.received[-1].request_id
    assert "Error" not in answer["Response"]
    assert len(cloud.ran(action.api)) == 1


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: a.api)
async def test_emulator_accepts_typed_sdk_client(cloud: CloudEmulator, action: Action) -> None:
    """The typed SDK client runs every action and reads the declared result fields."""
    put(cloud, action)
    client_class, models = CLIENTS[action.product.name]
    client = client_class(credential.Credential("AKIDGOOD", "good"), region(action), profile(cloud))
    request = getattr(models, f"{action.api}Request")()
    request.from_json_string(json.dumps(made_up(action)))

    answer = await asyncio.to_thread(getattr(client, action.api), request)

    assert answer.RequestId == cloud.received[-1].request_id
    if action.effect_spec.state_field and not action.effect_spec.counts:
        shown = action.effect_spec.read_state(json.loads(answer.to_json_string()))
        assert shown == action.effect_spec.resource_type.states[0]
    for name in action.effect_spec.counts:
        assert getattr(answer, name) == 1
    for name in action.effect_spec.lists:
        assert len(getattr(answer, name)) == 1
    if action.effect_spec.creates:
        assert getattr(answer, action.effect_spec.creates)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: a.api)
async def test_emulator_refuses_with_documented_codes(action: Action) -> None:
    """Bad parameters, absent resources and injected faults have the documented codes."""
    async with CloudEmulator(keys=KEYS, actions=[replace(action, per_second=1000)]) as cloud:

        async def code(given: dict[str, Json]) -> str:
            return await code_of(lambda: common(cloud, action).call_json(action.api, given))

        good = made_up(action)
        assert await code(good | {"Surplus": 1}) == "UnknownParameter"
        for param in action.params:
            known = param.only in (None, action.product.site)
            wrong = "InvalidParameter" if known else "UnknownParameter"
            assert await code(good | {param.api: {"of": "another type"}}) == wrong
            if param.required:
                without = {name: value for name, value in good.items() if name != param.api}
                assert await code(without) == "MissingParameter"

        assert await code(good) == (action.effect_spec.absent or "")
        cloud.faults.add(Fault(code="InternalError"), api=action.api)
        assert await code(good) == "InternalError"


async def test_emulator_checks_credentials(cloud: CloudEmulator) -> None:
    """Keys, signatures, tokens, sites and clock skew are checked with the documented codes."""
    action = by_api("DescribeLiveStreamState")
    good = made_up(action)

    async def code(*key: str) -> str:
        return await code_of(lambda: common(cloud, action, key).call_json(action.api, good))

    assert await code("AKIDGOOD", "good") == ""
    assert await code("AKIDGOOD", "wrong") == "AuthFailure.SignatureFailure"
    assert await code("AKIDNOBODY", "good") == "AuthFailure.SecretIdNotFound"
    assert await code("AKIDINTL", "intl") == "AuthFailure.SecretIdNotFound"
    assert await code("AKIDTEMPORARY", "temporary", "token") == ""
    assert await code("AKIDTEMPORARY", "temporary", "old") == "AuthFailure.TokenFailure"
    assert await code("AKIDTEMPORARY", "temporary") == "AuthFailure.TokenFailure"
    cloud.skew = 301.0
    assert await code("AKIDGOOD", "good") == "AuthFailure.SignatureExpire"
    cloud.skew = -299.0
    assert await code("AKIDGOOD", "good") == ""


async def test_emulator_refuses_wrong_version_action_or_region(cloud: CloudEmulator) -> None:
    """A wrong version, action or region is refused with its documented code."""
    action = by_api("StopStreamIngest")
    good = made_up(action)

    def call(
        version: str = action.product.version, where: str = "ap-singapore", api: str = ""
    ) -> Any:
        who = credential.Credential("AKIDGOOD", "good")
        client = CommonClient("trtc", version, who, where, profile=profile(cloud))
        return client.call_json(api or action.api, good)

    assert await code_of(lambda: call(version="2000-01-01")) == "NoSuchVersion"
    assert await code_of(lambda: call(api="StopEverything")) == "InvalidAction"
    assert await code_of(lambda: call(where="ap-guangzhou")) == "UnsupportedRegion"
    assert await code_of(lambda: call(where="")) == "MissingParameter"


async def test_emulator_accepts_async_sdk_client(cloud: CloudEmulator) -> None:
    """The asynchronous SDK client is answered with the request ID."""
    from tencentcloud.common.common_client_async import (  # noqa: PLC0415 (newer SDKs alone)
        CommonClient as AsyncCommonClient,
    )

    action = by_api("DropLiveStream")
    client = AsyncCommonClient(
        "live", "2018-08-01", credential.Credential("AKIDGOOD", "good"), "", profile(cloud)
    )
    async with client:
        answer = await client.call_and_deserialize(action.api, made_up(action))

    assert json.dumps(answer).count(cloud.received[-1].request_id) == 1


async def test_emulator_enforces_rate_limit(
    cloud: CloudEmulator,
) -> None:
    """A request beyond the documented rate per second is refused."""
    action = by_api("StopPublishStream")
    cloud.resources.put("session", "user1")
    client = common(cloud, action)

    codes = [
        await code_of(lambda: client.call_json(action.api, made_up(action)))
        for _ in range(action.per_second + 1)
    ]

    assert codes[: action.per_second] == [""] * action.per_second
    assert codes[-1] == "RequestLimitExceeded"


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


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: a.api)
async def test_emulator_accepts_help_examples(action: Action) -> None:
    """The example command of every action is sent and accepted with its parameters."""
    async with CloudEmulator(keys=KEYS) as cloud:
        vocabulary = Vocabulary(ACTIONS, {}, {}, "", {})
        found = parse(example(action), verb=None, vocabulary=vocabulary, now=cloud.now)
        assert isinstance(found, Command)
        key = (found.params.get(name, "live") for name in action.effect_spec.key)
        cloud.resources.put(action.effect_spec.resource_type.name, *key)
        client = TencentCloud(
            credentials=Fixed(tc3.Credentials("AKIDGOOD", "good")), base_url=cloud.url
        )
        answer = await client.call(found)
        await client.close()

    assert answer.request_id == cloud.ran(action.api)[0].request_id
    assert dict(cloud.ran(action.api)[0].params) == dict(found.params)


async def test_emulator_runs_action_from_declaration() -> None:
    """An action on a new resource type needs nothing but its declaration."""
    lamp = ResourceType("lamp", ("on", "off", "gone"), gone=("gone",))
    name = by_api("StopPublishStream").params
    switch = replace(
        by_api("StopPublishStream"),
        api="SwitchLamp",
        effect_spec=EffectSpec(lamp, ("UserId",), new_state="off"),
        emulation=Emulation(refused={"off": "OperationDenied"}),
    )
    look = replace(
        by_api("DescribeConcurrentCount"),
        api="DescribeLamp",
        params=name,
        effect_spec=EffectSpec(
            lamp, ("UserId",), state_field=("Lit.Now", "never"), state_values={"off": 0}
        ),
    )
    async with CloudEmulator(keys=KEYS, actions=[switch, look]) as cloud:

        async def call(action: Action) -> Json:
            client = common(cloud, action)
            answer: dict[str, Json] = await asyncio.to_thread(
                client.call_json, action.api, {"UserId": "l"}
            )
            return answer["Response"]

        before = await call(look)
        await call(switch)
        after = await call(look)
        again = await code_of(lambda: common(cloud, switch).call_json(switch.api, {"UserId": "l"}))

    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert before["Lit"] == {"Now": "never"}
    assert after["Lit"] == {"Now": 0}
    assert look.effect_spec.read_state(after) == "off"
    assert again == "OperationDenied"


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


@pytest.mark.parametrize(
    ("api", "wrong", "code"),
    [
        ("AddDelayLiveStream", {"DelayTime": 601}, "InvalidParameterValue"),
        ("AddDelayLiveStream", {"ExpireTime": "2000-01-01T00:00:00Z"}, "InvalidParameterValue"),
        ("ForbidLiveStream", {"ResumeTime": "2999-01-01T00:00:00Z"}, "InvalidParameterValue"),
        ("ForbidLiveStream", {"ResumeTime": "soon"}, "InvalidParameter"),
        ("CreateRecordTask", {"EndTime": 1}, "InvalidParameter"),
        ("RemoveUser", {"UserIds": ["u"] * 11}, "InvalidParameter.UserIds"),
        ("RemoveUser", {"UserIds": []}, "InvalidParameter.UserIds"),
        ("RemoveUser", {"UserIds": [1]}, "InvalidParameter"),
        ("DescribeLiveStreamOnlineList", {"PageSize": 9}, "InvalidParameterValue"),
        ("UpdateStreamIngest", {"Tempo": 1.0}, "UnknownParameter"),
    ],
)
async def test_emulator_refuses_out_of_range_values(
    cloud: CloudEmulator, api: str, wrong: dict[str, Json], code: str
) -> None:
    """A value out of range is refused with a code that its API documents."""
    action = by_api(api)
    put(cloud, action)

    found = await code_of(
        lambda: common(cloud, action).call_json(action.api, made_up(action) | wrong)
    )

    assert found == code


async def test_emulator_refuses_action_of_other_site() -> None:
    """An action that exists on one site only is invalid on the other."""
    action = by_api("DescribeLivePadStreamList")
    async with CloudEmulator(keys=KEYS, site="intl") as cloud:
        found = await code_of(lambda: common(cloud, action).call_json(action.api, {}))

    assert found == "InvalidAction"


def test_emulator_listens_on_loopback(cloud: CloudEmulator) -> None:
    """The emulator listens on the loopback address."""
    assert cloud.url.startswith("http://127.0.0.1:")
