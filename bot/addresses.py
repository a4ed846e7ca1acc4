"""The addresses that the bot calls: read in one way only, and encrypted beyond this machine."""

import re

_ADDRESS = re.compile(
    r"(?P<scheme>https?|wss?)://(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?([/?][!-~]*)?",
    re.IGNORECASE,
)
"""Narrower than URLs are: no library reads another host in it, so none can send it elsewhere."""

_LOOPBACK = re.compile(r"127(\.[0-9]{1,3}){3}")


def check_address(address: str) -> None:
    """Refuse what is no address, or holds a user or password.

    Raises:
        ValueError: Says what is wrong, without the address.
    """
    scheme, colon, rest = address.partition("://")
    if not colon or scheme.lower() not in ("http", "https"):
        raise ValueError("is not an http:// or https:// address")
    if "@" in re.split(r"[/?#]", rest, maxsplit=1)[0]:
        raise ValueError("holds a user or password: name the host alone")
    if _ADDRESS.fullmatch(address) is None:
        raise ValueError("is not an address: a host, perhaps a port and a path, no blanks")


def is_loopback(address: str) -> bool:
    """Return whether an address is on this machine."""
    found = _ADDRESS.fullmatch(address)
    host = found["host"].lower() if found else ""
    return host in ("localhost", "[::1]") or _LOOPBACK.fullmatch(host) is not None


def is_secure(address: str) -> bool:
    """Return whether what is sent to an address is encrypted, or does not leave this machine."""
    found = _ADDRESS.fullmatch(address)
    encrypted = found is not None and found["scheme"].lower() in ("https", "wss")
    return encrypted or is_loopback(address)
