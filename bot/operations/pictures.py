"""Fetches the picture of a notice, from the hosts that are allowed and from nowhere else.

An address in a notice is foreign: its signature does not cover it.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from bot.addresses import check_address, is_loopback
from bot.errors import PictureError

LARGEST = 5_000_000
"""Bytes of a picture, at most."""

_WITHIN = 10.0
"""Seconds for all of it."""

_TYPES = (
    (b"\xff\xd8\xff", "jpg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF8", "gif"),
)
"""What pictures begin with, and how their names end."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it was fetched; it is never decoded here.

    Attributes:
        name: With the ending of its type.
    """

    name: str
    content: bytes


def is_allowed(address: str, hosts: Sequence[str]) -> bool:
    """Return whether an address is one that may be called.

    Args:
        hosts: Names of hosts; one that begins with a point stands for every host that ends so. A
            loopback address of an emulator must be named itself, and may go without encryption.
    """
    try:
        check_address(address)
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return False
    host = (parts.hostname or "").casefold()
    if is_loopback(address):
        return host in hosts
    named = any(host == one or (one.startswith(".") and host.endswith(one)) for one in hosts)
    return named and parts.scheme == "https" and port in (None, 443)


def kind_of(content: bytes) -> str:
    """Return the ending of the name for a picture's bytes; empty where they are no picture."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    return next((ending for begin, ending in _TYPES if content.startswith(begin)), "")


class PublicResolver(AbstractResolver):
    """Resolves names as usual, and refuses every answer that is no public address."""

    def __init__(self) -> None:
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host.

        Raises:
            OSError: It has none that is public.
        """
        found = await self._resolver.resolve(host, port, family)
        public = [one for one in found if ipaddress.ip_address(one["host"]).is_global]
        if not public:
            raise OSError(f"{host} has no public address")
        return public

    async def close(self) -> None:
        """Close nothing."""


class Pictures:
    """Fetches pictures.

    Args:
        hosts: See `is_allowed`; with none, no picture is fetched.
    """

    def __init__(self, hosts: Sequence[str] = ()) -> None:
        self._hosts = tuple(one.casefold() for one in hosts)

    def can_fetch(self, address: str) -> bool:
        """Return whether the picture at an address could be shown."""
        return is_allowed(address, self._hosts)

    async def fetch(self, address: str) -> Picture:
        """Return the picture at an address.

        Raises:
            PictureError: It is not fetched; says why, without the address.
        """
        if not self.can_fetch(address):
            raise PictureError("its address is not on an allowed host")
        try:
            async with asyncio.timeout(_WITHIN):
                content = await self._read(address)
        except TimeoutError:
            raise PictureError(f"its host takes longer than {_WITHIN:.0f} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise PictureError(f"its host is not reached ({type(error).__name__})") from None
        ending = kind_of(content)
        if not ending:
            raise PictureError("what is at its address is no picture")
        return Picture(f"picture.{ending}", content)

    async def _read(self, address: str) -> bytes:
        resolver = None if is_loopback(address) else PublicResolver()
        connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False)
        # A proxy of the environment would resolve the name elsewhere.
        async with (
            aiohttp.ClientSession(
                connector=connector, trust_env=False, auto_decompress=False
            ) as session,
            session.get(
                address, allow_redirects=False, headers={"Accept-Encoding": "identity"}
            ) as answer,
        ):
            if answer.status != HTTPStatus.OK:
                raise PictureError(f"its host answered {answer.status}")
            content = bytearray()
            async for chunk in answer.content.iter_chunked(65_536):
                content += chunk
                if len(content) > LARGEST:
                    raise PictureError(f"it is larger than {LARGEST // 1_000_000} MB")
            return bytes(content)
