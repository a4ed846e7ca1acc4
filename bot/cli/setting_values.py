"""The values of settings that are more than a text: read and checked; pure."""

from collections.abc import Mapping

from pydantic import SecretStr

from bot.addresses import check_address, is_secure
from bot.audit.checkpoints import is_key
from bot.model.actions import Site

_PORT_MOST = 65_535

_EVERY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 (nothing is bound to it here)

_SITES: Mapping[str, Site] = {"mainland": "mainland", "intl": "intl"}


def parse_sites(value: str) -> dict[str, Site]:
    """Return the sites by service; the one for all services has no name.

    Raises:
        ValueError: A part of it is no site, or names no service.
    """
    found: dict[str, Site] = {}
    for part in value.split(","):
        service, _, site = part.strip().rpartition("=")
        if site not in _SITES or service not in ("", "live", "trtc", "car", "sts"):
            raise ValueError(
                f'"{part.strip()}" is neither mainland nor intl, nor service=site '
                "with live, trtc, car or sts"
            )
        found[service] = _SITES[site]
    return found


def parse_public_keys(value: str) -> tuple[str, ...]:
    """Return the public keys of a list with commas.

    Raises:
        ValueError: One is no public key.
    """
    keys = tuple(part.strip() for part in value.split(",") if part.strip())
    if wrong := next((key for key in keys if not is_key(key)), None):
        raise ValueError(f'"{wrong[:60]}" is no public key: 32 bytes in base64')
    return keys


def check_host_and_port(listen: str) -> None:
    """Refuse what is no `host:port`.

    Raises:
        ValueError: It is none.
    """
    host, colon, port = listen.rpartition(":")
    if not (colon and host and port.isdecimal() and int(port) <= _PORT_MOST):
        raise ValueError("is not host:port")


def check_apart(metrics: str, listen: str) -> None:
    """Refuse a `host:port` for the metrics on which Slack's requests are listened for already.

    Raises:
        ValueError: It is the same, or one of both is every address of the machine.
    """
    (host, port), (other, its_port) = host_and_port(metrics), host_and_port(listen)
    meets = host == other or not _EVERY_ADDRESS.isdisjoint({host, other})
    if port and port == its_port and meets:
        raise ValueError("is taken by STOPSTREAM_LISTEN; the metrics need a port of their own")


def host_and_port(listen: str) -> tuple[str, int]:
    """Return the host and the port of a checked `host:port`."""
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


def check_url(address: str, *, allow_http: bool) -> None:
    """Refuse an address that can be misread, holds a password, or is in the clear.

    Args:
        allow_http: Whether what is sent there may cross the network in the clear.

    Raises:
        ValueError: Says why, without the address.
    """
    check_address(address)
    if not is_secure(address) and not allow_http:
        raise ValueError(
            "begins with http://, so tokens would cross the network in the clear: name it with "
            "https://, or set STOPSTREAM_ALLOW_HTTP=true"
        )


def is_url(sink: str) -> bool:
    """Return whether the audit sink is an address, or looks like one; else it is a file."""
    return "://" in sink and not sink.startswith("file://")


def prefixed(value: SecretStr | None, prefix: str, why: str) -> SecretStr | None:
    """Return a secret that begins as its kind does.

    Raises:
        ValueError: It begins with something else.
    """
    if value is not None and not value.get_secret_value().startswith(prefix):
        raise ValueError(why)
    return value
