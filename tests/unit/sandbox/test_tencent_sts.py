"""The emulated Security Token Service, driven by the official SDK."""

import asyncio
from typing import Any

import pytest
from tencentcloud.common import credential
from tencentcloud.common.common_client import CommonClient
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

from bot.sandbox.tencent.authentication import Key
from bot.sandbox.tencent.server import CloudEmulator
from bot.sandbox.tencent.sts import Role

# The SDK's own code warns on this Python; what it sends is what matters here.
pytestmark = pytest.mark.filterwarnings("default")

ROLE = "qcs::cam::uin/100000000001:roleName/stopper"
STREAM = {"StreamName": "stream1", "DomainName": "push.example.com", "AppName": "live"}
ASK = {"RoleArn": ROLE, "RoleSessionName": "sdk", "DurationSeconds": 900}


def client(cloud: CloudEmulator, service: str, version: str, key: Any) -> CommonClient:
    http = HttpProfile(protocol="http", endpoint=cloud.url.removeprefix("http://"))
    profile = ClientProfile(httpProfile=http)
    return CommonClient(service, version, key, "ap-guangzhou", profile=profile)


def emulator() -> CloudEmulator:
    cloud = CloudEmulator(keys={"AKIDBASE": Key("base")})
    cloud.sts.roles[ROLE] = Role(
        trusts=frozenset({"AKIDBASE"}), pods={("cls-1", "token"): cloud.now + 600}
    )
    return cloud


async def ask(cloud: CloudEmulator, api: str, params: dict[str, Any], **options: Any) -> Any:
    base = None if options else credential.Credential("AKIDBASE", "base")
    sts = client(cloud, "sts", "2018-08-13", base)
    return await asyncio.to_thread(sts.call_json, api, params, options=options or None)


async def test_key_of_a_role_stops_streams_until_it_lapses() -> None:
    """The SDK can stop a stream with a key that it was given, and after its end cannot."""
    async with emulator() as cloud:
        given = (await ask(cloud, "AssumeRole", ASK))["Response"]["Credentials"]
        parts = (given["TmpSecretId"], given["TmpSecretKey"], given["Token"])
        live = client(cloud, "live", "2018-08-01", credential.Credential(*parts))
        await asyncio.to_thread(live.call_json, "DropLiveStream", STREAM)
        cloud.sts.lapse(cloud.now)
        with pytest.raises(TencentCloudSDKException) as refused:
            await asyncio.to_thread(live.call_json, "DropLiveStream", STREAM)

    assert refused.value.code == "AuthFailure.TokenFailure"
    assert len(cloud.ran("DropLiveStream")) == 1


async def test_pods_token_gives_a_key_without_a_signature() -> None:
    """AssumeRoleWithWebIdentity takes the SDK's unsigned request with a token that it knows."""
    params = {**ASK, "ProviderId": "cls-1", "WebIdentityToken": "token"}
    async with emulator() as cloud:
        found = await ask(cloud, "AssumeRoleWithWebIdentity", params, SkipSign=True)

    assert found["Response"]["Credentials"]["TmpSecretId"] in cloud.sts.issued


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"RoleArn": ""}, "MissingParameter"),
        ({"RoleArn": "qcs::cam::uin/1:roleName/none"}, "ResourceNotFound.RoleNotFound"),
        ({"RoleSessionName": "a b"}, "InvalidParameter.ParamError"),
        ({"DurationSeconds": 43_201}, "InvalidParameter.OverTimeError"),
        ({"DurationSeconds": "900"}, "InvalidParameter.ParamError"),
    ],
)
async def test_sts_refuses_what_the_real_one_does(change: dict[str, Any], code: str) -> None:
    """A wrong parameter is refused with the documented code."""
    async with emulator() as cloud:
        with pytest.raises(TencentCloudSDKException) as refused:
            await ask(cloud, "AssumeRole", {**ASK, **change})

    assert refused.value.code == code
    assert not cloud.sts.issued
