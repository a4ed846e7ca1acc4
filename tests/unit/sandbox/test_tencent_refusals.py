"""The emulated cloud refuses older signatures and foreign hosts, as the real one does."""

import asyncio
import json

import httpx
import pytest
from tencentcloud.common import credential
from tencentcloud.common.common_client import CommonClient
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

from bot.catalog.registry import by_api
from bot.model.actions import Json, Site
from bot.sandbox.tencent.authentication import Key
from bot.sandbox.tencent.faults import Fault
from bot.sandbox.tencent.server import CloudEmulator
from bot.tencent import tc3

# The SDK's own code warns on this Python; what it sends is what matters here.
pytestmark = pytest.mark.filterwarnings("default")

STREAM: dict[str, Json] = {
    "StreamName": "stream1",
    "DomainName": "push.example.com",
    "AppName": "live",
}
KEYS = {"AKIDGOOD": Key("good")}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("sign", ["HmacSHA1", "HmacSHA256"])
async def test_emulator_refuses_the_older_signature(sign: str, method: str) -> None:
    """A request with a signature of version 1 is told that its authorization is not accepted."""
    async with CloudEmulator(keys=KEYS) as cloud:
        endpoint = cloud.url.removeprefix("http://")
        http = HttpProfile(protocol="http", endpoint=endpoint, reqMethod=method)
        client = CommonClient(
            "live",
            "2018-08-01",
            credential.Credential("AKIDGOOD", "good"),
            "",
            profile=ClientProfile(signMethod=sign, httpProfile=http),
        )
        with pytest.raises(TencentCloudSDKException) as refused:
            await asyncio.to_thread(client.call_json, "DropLiveStream", STREAM)

    assert refused.value.code == "AuthFailure.InvalidAuthorization"
    assert cloud.ran() == []


async def send(
    cloud: CloudEmulator, api: str, params: dict[str, Json], *, host: str = ""
) -> dict[str, Json]:
    """Send a request for a host to the emulated cloud, whatever its address."""
    action, payload = by_api(api), json.dumps(params).encode()
    timestamp = int(cloud.now)
    headers = {
        "content-type": "application/json",
        "host": host or cloud.url.removeprefix("http://"),
        "x-tc-action": api,
        "x-tc-version": action.product.version,
        "x-tc-timestamp": str(timestamp),
    }
    if action.regions:
        headers["x-tc-region"] = "ap-singapore"
    headers["authorization"] = tc3.authorization(
        headers,
        payload,
        credentials=tc3.Credentials("AKIDGOOD", "good"),
        service=action.product.name,
        timestamp=timestamp,
    )
    async with httpx.AsyncClient() as client:
        answer = await client.post(cloud.url, content=payload, headers=headers)
    response: dict[str, Json] = answer.json()["Response"]
    return response


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("", ""),
        ("live.tencentcloudapi.com", ""),
        ("LIVE.tencentcloudapi.com:443", ""),
        ("live.ap-guangzhou.tencentcloudapi.com", ""),
        ("live.intl.tencentcloudapi.com", ""),
        ("trtc.tencentcloudapi.com", "InvalidAction"),
        ("car.intl.tencentcloudapi.com", "InvalidAction"),
        ("nosuch.tencentcloudapi.com", "NoSuchProduct"),
    ],
)
async def test_emulator_host_serves_its_product_alone(host: str, code: str) -> None:
    """A host of the real cloud serves the actions of its product; loopback serves all."""
    async with CloudEmulator(keys=KEYS) as cloud:
        await send(cloud, "DropLiveStream", STREAM, host=host)

    assert [one.code for one in cloud.received] == [code]
    assert len(cloud.ran()) == (not code)


@pytest.mark.parametrize(
    ("site", "host", "code"),
    [
        ("mainland", "live.tencentcloudapi.com", "AuthFailure.SecretIdNotFound"),
        ("intl", "live.intl.tencentcloudapi.com", ""),
        ("mainland", "live.intl.tencentcloudapi.com", ""),
        ("intl", "live.tencentcloudapi.com", "AuthFailure.SecretIdNotFound"),
    ],
)
async def test_emulator_host_tells_the_site(site: Site, host: str, code: str) -> None:
    """The keys of one site are unknown to the hosts of the other."""
    keys = {"AKIDGOOD": Key("good", site="intl")}
    async with CloudEmulator(keys=keys, site=site) as cloud:
        await send(cloud, "DropLiveStream", STREAM, host=host)

    assert [one.code for one in cloud.received] == [code]


@pytest.mark.parametrize("api", ["DropLiveStream", "ForbidLiveStream", "ResumeLiveStream"])
@pytest.mark.parametrize("name", ["nosuch", "Stream1", "stream1 "])
async def test_emulator_accepts_a_name_that_is_not_live(api: str, name: str) -> None:
    """A drop, a ban or its end of a name that is not live is accepted, and stops no other."""
    async with CloudEmulator(keys=KEYS) as cloud:
        cloud.resources.put("stream", *STREAM.values())
        answer = await send(cloud, api, STREAM | {"StreamName": name})
        typed = await send(cloud, "DescribeLiveStreamState", STREAM | {"StreamName": name})
        live = await send(cloud, "DescribeLiveStreamState", STREAM)

    assert "Error" not in answer
    assert typed["StreamState"] == ("forbid" if api == "ForbidLiveStream" else "inactive")
    assert live["StreamState"] == "active"


async def test_emulator_answers_any_action_with_any_code() -> None:
    """A fault refuses an action with a chosen code as often as it was told to."""
    async with CloudEmulator(keys=KEYS) as cloud:
        cloud.faults.add(
            Fault(code="ResourceNotFound.FreezeService"), api="DropLiveStream", times=2
        )
        for _ in range(3):
            await send(cloud, "DropLiveStream", STREAM)

    assert [one.code for one in cloud.received] == ["ResourceNotFound.FreezeService"] * 2 + [""]
