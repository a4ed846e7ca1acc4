"""Where the key comes from, in the official order, and what is said where there is none."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from bot.errors import ConfigError, NeverSentError
from bot.tencent.credentials import CvmRole, chain
from bot.tencent.tc3 import Credentials

ENVIRONMENT = {
    "TENCENTCLOUD_SECRET_ID": "AKIDENV",
    "TENCENTCLOUD_SECRET_KEY": "ENVKEY",
    "TENCENTCLOUD_TOKEN": "ENVTOKEN",
}


def written(folder: Path, text: str) -> str:
    file = folder / "credentials"
    file.write_text(text)
    return str(file)


async def test_credentials_chain_prefers_environment_over_file(tmp_path: Path) -> None:
    """Credentials come from the environment first and from a credentials file after it."""
    file = written(tmp_path, "[default]\nsecret_id = AKIDFILE\nsecret_key = FILE%KEY\n")

    assert await chain(ENVIRONMENT, files=[file]).get() == Credentials(
        "AKIDENV", "ENVKEY", "ENVTOKEN"
    )
    assert await chain({}, files=[file]).get() == Credentials("AKIDFILE", "FILE%KEY")
    named = {"TENCENTCLOUD_CREDENTIALS_FILE": file}
    assert (await chain(named, files=[]).get()).secret_id == "AKIDFILE"


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({"TENCENTCLOUD_SECRET_ID": "a"}, "TENCENTCLOUD_SECRET_KEY: is missing"),
        ({"TENCENTCLOUD_SECRET_KEY": "5ECRE7"}, "TENCENTCLOUD_SECRET_ID: is missing"),
        (
            {"TENCENTCLOUD_SECRET_ID": "a", "TENCENTCLOUD_SECRET_KEY": "5ECRE7 "},
            "TENCENTCLOUD_SECRET_KEY: has blanks",
        ),
        (
            {"TENCENTCLOUD_SECRET_ID": "a", "TENCENTCLOUD_SECRET_KEY": "5ECRE7…"},
            "TENCENTCLOUD_SECRET_KEY: holds characters",
        ),
    ],
)
def test_credentials_chain_refuses_incomplete_key(
    environment: dict[str, str], problem: str
) -> None:
    """An incomplete or malformed key is a configuration error that does not show it."""
    with pytest.raises(ConfigError) as caught:
        chain(environment, files=[])

    assert caught.value.problems[0].startswith(problem)
    assert "5ECRE7" not in str(caught.value)


def test_credentials_chain_refuses_invalid_file(tmp_path: Path) -> None:
    """An unreadable or incomplete credentials file is a configuration error."""
    with pytest.raises(ConfigError, match="readable"):
        chain({}, files=[written(tmp_path, "secret_id = no section")])
    with pytest.raises(ConfigError, match="secret_key"):
        chain({}, files=[written(tmp_path, "[default]\nsecret_id = a\n")])


class Metadata:
    """Plays the CVM's metadata service; `up` switches it off."""

    def __init__(self) -> None:
        self.up = True
        self.calls = 0
        self.lapses = 10_000.0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        if not self.up:
            raise httpx.ConnectError("no route")
        if request.url.path.endswith("/"):
            return httpx.Response(200, text="role-1")
        key = {
            "TmpSecretId": f"AKID{self.calls}",
            "TmpSecretKey": "k",
            "Token": "t",
            "ExpiredTime": self.lapses,
            "Code": "Success",
        }
        return httpx.Response(200, text=json.dumps(key))


async def test_credentials_of_cvm_role_are_cached_and_renewed_early() -> None:
    """A CVM role's key is cached, renewed early and used until it expires."""
    service, now = Metadata(), [0.0]
    role = CvmRole(clock=lambda: now[0], transport=httpx.MockTransport(service))

    first = await asyncio.gather(*(role.get() for _ in range(10)))
    assert {key.secret_id for key in first} == {"AKID2"}
    assert service.calls == 2

    now[0] = 9_800.0
    service.up = False
    assert (await role.get()).secret_id == "AKID2", "renewal failed, but it is still good"

    service.up, service.lapses = True, 20_000.0
    assert (await role.get()).secret_id != "AKID2"

    service.up, now[0] = False, 20_001.0
    with pytest.raises(NeverSentError, match="no key"):
        await role.get()


async def test_credentials_error_names_all_sources() -> None:
    """Without any key the error names the environment, the file and the CVM role."""

    def nothing(_: httpx.Request) -> httpx.Response:
        return httpx.Response(404)

    with pytest.raises(NeverSentError) as caught:
        await CvmRole(transport=httpx.MockTransport(nothing)).get()

    for place in ("TENCENTCLOUD_SECRET_ID", "credentials", "CVM"):
        assert place in str(caught.value)
