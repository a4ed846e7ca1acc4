"""The emulated cloud and the official SDK that calls it."""

import asyncio
from collections.abc import Callable
from typing import Any

from tencentcloud.common import credential
from tencentcloud.common.common_client import CommonClient
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

from bot.model.actions import Action
from bot.sandbox.tencent.authentication import Key
from bot.sandbox.tencent.server import CloudEmulator
from tests.support.fakes import made_up

KEYS = {
    "AKIDGOOD": Key("good"),
    "AKIDTEMPORARY": Key("temporary", token="token"),
    "AKIDINTL": Key("intl", site="intl"),
}


class Clock:
    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        import time  # noqa: PLC0415 (the SDK reads the real clock, so this follows it)

        return time.time() + self.ahead


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
