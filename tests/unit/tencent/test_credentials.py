"""Where the key comes from, in which order, and what is said where there is none."""

import json
from pathlib import Path

import httpx
import pytest

from bot.errors import ConfigError, NeverSentError
from bot.tencent.credential_chain import chain
from bot.tencent.credentials import Credentials, CredentialSource
from bot.tencent.roles import KeyService

ENVIRONMENT = {
    "TENCENTCLOUD_SECRET_ID": "AKIDENV",
    "TENCENTCLOUD_SECRET_KEY": "ENVKEY",
    "TENCENTCLOUD_TOKEN": "ENVTOKEN",
}
POD = {
    "TKE_REGION": "ap-singapore",
    "TKE_PROVIDER_ID": "cls-1",
    "TKE_WEB_IDENTITY_TOKEN_FILE": "/var/run/secrets/token",
    "TKE_ROLE_ARN": "qcs::cam::uin/1:roleName/pod",
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


def origin(environment: dict[str, str], files: list[str]) -> str:
    return chain(environment, files=files).origin


def test_credentials_chain_names_where_the_key_comes_from(tmp_path: Path) -> None:
    """The order is environment, file, the pod's role, the CVM's; a role is assumed with any."""
    file = written(tmp_path, "[default]\nsecret_id = AKIDFILE\nsecret_key = KEY\n")
    arn = "qcs::cam::uin/1:roleName/stopper"

    assert origin({**ENVIRONMENT, **POD}, [file]) == "the environment"
    assert origin(POD, [file]) == file
    assert origin(POD, []) == f"the pod's role {POD['TKE_ROLE_ARN']}"
    assert origin({}, []) == "the CVM's role"
    assumed = origin({**ENVIRONMENT, "TENCENTCLOUD_ROLE_ARN": arn}, [])
    assert assumed == f"the role {arn}, assumed with the key from the environment"


def test_credentials_chain_goes_on_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a user has no home, as in a container, the next source is taken."""
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", _no_user)

    assert origin(POD, ["~/.tencentcloud/credentials"]).startswith("the pod's role")


def _no_user(_: int) -> None:
    raise KeyError("no such user")


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
        (
            {"TENCENTCLOUD_CREDENTIALS_FILE": "/nowhere/credentials"},
            "TENCENTCLOUD_CREDENTIALS_FILE: /nowhere/credentials has no key",
        ),
        ({**POD, "TKE_ROLE_ARN": ""}, "TKE_ROLE_ARN: is missing"),
        ({"TKE_ROLE_ARN": "qcs::x"}, "TKE_REGION: is missing"),
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


def streamed(content: bytes, status: int = 200) -> httpx.Response:
    return httpx.Response(status, stream=httpx.ByteStream(content))


def cvm(content: bytes, status: int = 200) -> CredentialSource:
    service = KeyService(transport=httpx.MockTransport(lambda _: streamed(content, status)))
    return chain({}, files=[], service=service)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 404),
        (b"role-1", 302),
        (b"", 200),
        (b"a/b", 200),
        (b"[1]", 200),
        (b'{"Code": "Failed"}', 200),
        (b"{}", 200),
        (b"\xff", 200),
    ],
)
async def test_credentials_error_names_all_sources(content: bytes, status: int) -> None:
    """Without any key the error names the environment, the file and the roles."""
    with pytest.raises(NeverSentError) as caught:
        await cvm(content, status).get()

    for place in ("TENCENTCLOUD_SECRET_ID", "credentials", "pod", "CVM"):
        assert place in str(caught.value)


async def test_cvm_metadata_is_read_to_a_bound() -> None:
    """A metadata service without an end is given up, whoever plays it."""
    with pytest.raises(NeverSentError):
        await cvm(b"x" * (2 << 20)).get()


async def test_cvm_role_gives_its_key() -> None:
    """The key of the CVM's role is the one of the role that the machine names."""

    def metadata(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/"):
            return streamed(b"role-1\n")
        assert request.url.path.endswith("/role-1")
        key = {"TmpSecretId": "AKIDCVM", "TmpSecretKey": "k", "Token": "t"}
        return streamed(json.dumps({**key, "ExpiredTime": 10_000, "Code": "Success"}).encode())

    service = KeyService(clock=lambda: 0.0, transport=httpx.MockTransport(metadata))
    source = chain({}, files=[], service=service)

    assert await source.get() == Credentials("AKIDCVM", "k", "t")
    assert source.until == 10_000
