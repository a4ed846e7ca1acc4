"""Keys of roles, from an emulated Security Token Service that refuses what the real one does."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from bot.errors import NeverSentError
from bot.sandbox.tencent.authentication import Key
from bot.sandbox.tencent.faults import Html, Http500, ResetUnread, Truncated
from bot.sandbox.tencent.server import CloudEmulator
from bot.sandbox.tencent.sts import Role
from bot.tencent.credential_chain import chain
from bot.tencent.credentials import CredentialSource
from bot.tencent.roles import KeyService

ROLE = "qcs::cam::uin/100000000001:roleName/stopper"
POD = "qcs::cam::uin/100000000001:roleName/pod"
TOKEN = "eyJhbGciOi.5ECRE7.T0KEN"


@pytest.fixture
async def cloud() -> AsyncIterator[CloudEmulator]:
    async with CloudEmulator(keys={"AKIDBASE": Key("base"), "AKIDOTHER": Key("other")}) as one:
        one.sts.roles[ROLE] = Role(trusts=frozenset({"AKIDBASE"}))
        one.sts.roles[POD] = Role(pods={("cls-1", TOKEN): one.now + 600})
        yield one


def assumed(
    cloud: CloudEmulator, key: tuple[str, str] = ("AKIDBASE", "base"), arn: str = ROLE
) -> CredentialSource:
    variables = {
        "TENCENTCLOUD_SECRET_ID": key[0],
        "TENCENTCLOUD_SECRET_KEY": key[1],
        "TENCENTCLOUD_ROLE_ARN": arn,
    }
    return chain(variables, files=[], service=KeyService(sts=cloud.url))


def of_pod(cloud: CloudEmulator, token_file: Path, provider: str = "cls-1") -> CredentialSource:
    variables = {
        "TKE_REGION": "ap-singapore",
        "TKE_PROVIDER_ID": provider,
        "TKE_WEB_IDENTITY_TOKEN_FILE": str(token_file),
        "TKE_ROLE_ARN": POD,
    }
    return chain(variables, files=[], service=KeyService(sts=cloud.url))


async def test_assumed_role_gives_a_key_that_lapses(cloud: CloudEmulator) -> None:
    """A role's key is a temporary one, asked for two hours under the bot's name."""
    source = assumed(cloud)

    key = await source.get()

    assert cloud.sts.issued[key.secret_id].token == key.token
    assert source.until is not None
    assert source.until == pytest.approx(cloud.now + 7_200, abs=60)
    (request,) = cloud.received
    assert (request.api, request.params["RoleSessionName"]) == ("AssumeRole", "stopstream")


@pytest.mark.parametrize(
    ("secret_id", "key", "arn", "code"),
    [
        ("AKIDBASE", "wrong", ROLE, "AuthFailure.SignatureFailure"),
        ("AKIDNOBODY", "base", ROLE, "AuthFailure.SecretIdNotFound"),
        ("AKIDOTHER", "other", ROLE, "UnauthorizedOperation"),
        ("AKIDBASE", "base", ROLE + "x", "ResourceNotFound.RoleNotFound"),
    ],
)
async def test_refused_role_says_why(
    cloud: CloudEmulator, secret_id: str, key: str, arn: str, code: str
) -> None:
    """Where a role is refused, the code, the role and the RequestId are told, and no key."""
    with pytest.raises(NeverSentError) as caught:
        await assumed(cloud, (secret_id, key), arn).get()

    (request,) = cloud.received
    assert code in str(caught.value)
    assert arn in str(caught.value)
    assert request.request_id in str(caught.value)
    assert secret_id not in str(caught.value)


@pytest.mark.parametrize("fault", [Http500, Html, Truncated, ResetUnread])
async def test_role_is_asked_for_again_after_an_unusable_answer(
    cloud: CloudEmulator, fault: object
) -> None:
    """What is no answer of the service is an error to retry, and the next try gives the key."""
    source = assumed(cloud)
    cloud.faults.add(fault, api="AssumeRole")  # type: ignore[arg-type] # of the parametrization

    with pytest.raises(NeverSentError, match="is not given"):
        await source.get()
    assert (await source.get()).secret_id in cloud.sts.issued


async def test_token_of_a_pod_that_is_no_file_is_refused(
    cloud: CloudEmulator, tmp_path: Path
) -> None:
    """A pipe or what is endless in place of the token is an error at once; nothing is sent."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zeros").symlink_to("/dev/zero")
    (tmp_path / "large").write_text("a" * 200_000)

    for name, why in (
        ("pipe", "is not a regular file"),
        ("zeros", "is not a regular file"),
        ("large", "is larger than"),
    ):
        with pytest.raises(NeverSentError, match=f"TKE_WEB_IDENTITY_TOKEN_FILE: {why}"):
            await of_pod(cloud, tmp_path / name).get()
    assert not cloud.received


async def test_message_of_a_refusal_shows_no_secret(tmp_path: Path) -> None:
    """A service that repeats what it was sent gives neither key nor token away."""
    (tmp_path / "token").write_text(TOKEN)

    def repeats(request: httpx.Request) -> httpx.Response:
        sent = request.content.decode() + " " + str(dict(request.headers))
        own = "" if TOKEN in sent else "AKIDBASE base5ECRE7 "
        message = f"{own}in {sent}"
        body = {"Response": {"Error": {"Code": "X", "Message": message}, "RequestId": "r"}}
        return httpx.Response(200, stream=httpx.ByteStream(httpx.Response(200, json=body).content))

    service = KeyService(transport=httpx.MockTransport(repeats))
    base = {"TENCENTCLOUD_SECRET_ID": "AKIDBASE", "TENCENTCLOUD_SECRET_KEY": "base5ECRE7"}
    pod = {
        "TKE_REGION": "ap-singapore",
        "TKE_PROVIDER_ID": "cls-1",
        "TKE_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
        "TKE_ROLE_ARN": POD,
    }
    for variables in ({**base, "TENCENTCLOUD_ROLE_ARN": ROLE}, pod):
        with pytest.raises(NeverSentError) as caught:
            await chain(variables, files=[], service=service).get()
        assert "5ECRE7" not in str(caught.value)


async def test_pods_token_is_read_for_each_key(cloud: CloudEmulator, tmp_path: Path) -> None:
    """A pod's role is given for the token that the cluster has written last."""
    file = tmp_path / "token"
    file.write_text("an old one")
    source = of_pod(cloud, file)
    with pytest.raises(NeverSentError, match=r"InvalidParameter\.WebIdentityTokenError"):
        await source.get()

    file.write_text(TOKEN + "\n")

    assert (await source.get()).secret_id in cloud.sts.issued
    assert TOKEN not in str(list(cloud.received))


async def test_pods_token_that_is_not_there_is_named(cloud: CloudEmulator, tmp_path: Path) -> None:
    """Without the token, or with an empty one, the variable that names it is told."""
    file = tmp_path / "token"
    for _ in range(2):
        with pytest.raises(NeverSentError, match="TKE_WEB_IDENTITY_TOKEN_FILE"):
            await of_pod(cloud, file).get()
        file.touch()
    assert not cloud.received


async def test_silent_service_is_given_up(
    cloud: CloudEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that does not answer is given up, and waited for once by all."""
    monkeypatch.setattr("bot.tencent.roles._PATIENCE", 0.05)

    async def silent(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    service = KeyService(sts=cloud.url, transport=httpx.MockTransport(silent))
    variables = {
        "TENCENTCLOUD_SECRET_ID": "a",
        "TENCENTCLOUD_SECRET_KEY": "b",
        "TENCENTCLOUD_ROLE_ARN": ROLE,
    }
    source = chain(variables, files=[], service=service)

    found = await asyncio.gather(*(source.get() for _ in range(3)), return_exceptions=True)

    assert all(isinstance(one, NeverSentError) for one in found)
    assert len({id(one) for one in found}) == 1


async def test_base_key_that_was_replaced_is_read_again(
    cloud: CloudEmulator, tmp_path: Path
) -> None:
    """A role is assumed with the key that the file has now, after the old one was refused."""
    file = tmp_path / "credentials"
    file.write_text("[default]\nsecret_id = AKIDOLD\nsecret_key = old\n")
    variables = {"TENCENTCLOUD_CREDENTIALS_FILE": str(file), "TENCENTCLOUD_ROLE_ARN": ROLE}
    source = chain(variables, service=KeyService(sts=cloud.url))
    file.write_text("[default]\nsecret_id = AKIDBASE\nsecret_key = base\n")

    assert (await source.get()).secret_id in cloud.sts.issued
