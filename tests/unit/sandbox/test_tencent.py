"""The emulated cloud, driven by the official SDK: credentials, codes and limits."""

import asyncio
import json
import time
from dataclasses import replace
from typing import Any

import pytest
from tencentcloud.car.v20220110 import car_client
from tencentcloud.car.v20220110 import models as car_models
from tencentcloud.common import credential
from tencentcloud.common.common_client import CommonClient
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
from bot.sandbox.tencent.faults import Fault
from bot.sandbox.tencent.server import CloudEmulator
from bot.tencent import tc3
from bot.tencent.client import TencentCloud
from bot.tencent.credentials import Fixed
from tests.support.fakes import made_up
from tests.support.tencent_sdk import KEYS, code_of, common, profile, put, region

# The SDK's own code warns on this Python; what it sends is what matters here.
pytestmark = pytest.mark.filterwarnings("default")

CLIENTS = {
    "live": (live_client.LiveClient, live_models),
    "trtc": (trtc_client.TrtcClient, trtc_models),
    "car": (car_client.CarClient, car_models),
}


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


async def test_emulator_enforces_rate_limit() -> None:
    """A request beyond the documented rate per second is refused."""
    action = by_api("StopPublishStream")
    second = time.time()
    async with CloudEmulator(keys=KEYS, clock=lambda: second) as cloud:
        cloud.resources.put("session", "user1")
        client = common(cloud, action)

        codes = [
            await code_of(lambda: client.call_json(action.api, made_up(action)))
            for _ in range(action.per_second + 1)
        ]

    assert codes[: action.per_second] == [""] * action.per_second
    assert codes[-1] == "RequestLimitExceeded"


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
