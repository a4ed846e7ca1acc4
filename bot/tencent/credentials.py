"""Credentials for Tencent Cloud: from the environment, the official file or the CVM's role.

Source: https://www.tencentcloud.com/document/product/1278/46715
"""

import asyncio
import configparser
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx

from bot.errors import ConfigError, NeverSentError
from bot.files import read_regular_file
from bot.model.actions import Site
from bot.tencent.tc3 import Credentials

METADATA = "http://metadata.tencentyun.com/latest/meta-data/cam/security-credentials/"
FILES = ("~/.tencentcloud/credentials", "/etc/tencentcloud/credentials")

_EARLY = 300.0
"""Seconds before its end at which a temporary key is renewed."""

_PATIENCE = 2.0

_LARGEST = 1 << 16
"""Bytes of a credentials file."""


class CredentialSource(Protocol):
    """A source of the key to sign with."""

    async def get(self) -> Credentials:
        """Return a key that is valid now.

        Raises:
            NeverSentError: There is none; it names the places that were searched.
        """
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """A key that does not change."""

    credentials: Credentials

    async def get(self) -> Credentials:
        """Return the key."""
        return self.credentials


@dataclass(frozen=True, slots=True)
class Access:
    """How an account is reached.

    Attributes:
        source: The source of its key; None for the bot's own key.
        site: Whose hosts it calls; None: each product's, as the settings say.
    """

    source: CredentialSource | None = None
    site: Site | None = None


class CvmRole:
    """The temporary key of the role that the machine itself has; renewed before it lapses.

    Args:
        clock: Epoch seconds.
        transport: Instead of the network.
    """

    def __init__(
        self,
        *,
        url: str = METADATA,
        clock: Callable[[], float] = time.time,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = url
        self._clock = clock
        self._transport = transport
        self._lock = asyncio.Lock()
        self._kept: Credentials | None = None
        self._until = 0.0

    async def get(self) -> Credentials:
        """Return the key; concurrent callers renew it once."""
        async with self._lock:
            if self._kept is None or self._until - self._clock() <= _EARLY:
                try:
                    self._kept, self._until = await self._fetch()
                except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
                    if self._kept is None or self._until <= self._clock():
                        raise NeverSentError(_NOWHERE) from error
            return self._kept

    async def _fetch(self) -> tuple[Credentials, float]:
        async with httpx.AsyncClient(
            transport=self._transport, timeout=_PATIENCE, trust_env=False
        ) as client:
            role = (await client.get(self._url)).raise_for_status().text.strip()
            if not role or not role.isprintable() or "/" in role:
                raise ValueError("no role")
            body = json.loads((await client.get(self._url + role)).raise_for_status().text)
        if body.get("Code", "Success") != "Success":
            raise ValueError("no key")
        parts = (body["TmpSecretId"], body["TmpSecretKey"], body["Token"])
        if not all(isinstance(part, str) and part for part in parts):
            raise ValueError("no key")
        return Credentials(*parts), float(body["ExpiredTime"])


_NOWHERE = (
    "There is no key for Tencent Cloud: set TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY, "
    "or write ~/.tencentcloud/credentials, or give this CVM a role."
)


def chain(environment: Mapping[str, str], *, files: Sequence[str] = FILES) -> CredentialSource:
    """Return the source: the environment, else the first file that exists, else the CVM role.

    Raises:
        ConfigError: A key is given in part, or with blanks; names the variable or the file.
    """
    given = _pair(
        environment.get("TENCENTCLOUD_SECRET_ID", ""),
        environment.get("TENCENTCLOUD_SECRET_KEY", ""),
        ("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY"),
    )
    if given:
        return Fixed(Credentials(*given, environment.get("TENCENTCLOUD_TOKEN", "")))
    named = environment.get("TENCENTCLOUD_CREDENTIALS_FILE")
    for name in (named,) if named else files:
        file = Path(name).expanduser()
        if (found := _read(file)) is not None:
            return Fixed(found)
    return CvmRole()


def flaw(value: str | None) -> str:
    """Return what is wrong with a part of a key in a variable; empty if nothing is."""
    return _wrong(value, "") if value else "is not set"


def _read(file: Path) -> Credentials | None:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(read_regular_file(file, _LARGEST).decode())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError([f"{file}: {error.strerror or error}"]) from None
    except (UnicodeDecodeError, configparser.Error):
        raise ConfigError([f"{file}: is not a readable credentials file"]) from None
    if not parser.has_section("default"):
        return None
    section = parser["default"]
    names = (f"{file}: secret_id", f"{file}: secret_key")
    pair = _pair(section.get("secret_id", ""), section.get("secret_key", ""), names)
    return Credentials(*pair) if pair else None


def _pair(secret_id: str, secret_key: str, names: tuple[str, str]) -> tuple[str, str] | None:
    problems = [
        f"{name}: {why}"
        for name, value, other in (
            (names[0], secret_id, secret_key),
            (names[1], secret_key, secret_id),
        )
        if (why := _wrong(value, other))
    ]
    if problems:
        raise ConfigError(problems)
    return (secret_id, secret_key) if secret_id else None


def _wrong(value: str, other: str) -> str:
    if value != value.strip():
        return "has blanks around it"
    if not value and other:
        return "is missing; id and key go together"
    if not value.isascii():
        return "holds characters that no key has"
    return ""
