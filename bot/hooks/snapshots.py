"""The callback of Live's snapshots: a picture of a stream has been stored; pure.

Source: https://www.tencentcloud.com/document/product/267/38083
"""

from collections.abc import Mapping
from typing import Any

from bot.addresses import is_loopback
from bot.hooks import fields
from bot.model.live_notices import Snapshot
from bot.redact import redact

KIND = 200
"""Its `event_type`."""

_NAME_MOST, _ADDRESS_MOST = 256, 2000


def parse(said: Mapping[str, Any], account: str) -> Snapshot:
    """Return what a genuine callback says.

    Args:
        account: Whose key signed it.

    Raises:
        ValueError: It names no stream, no time or no picture.
    """
    stream, at = _name(said, "stream_id"), fields.time_at(said, "create_time")
    address = _address(said.get("pic_full_url"))
    if not stream or at is None or not address:
        raise ValueError("it names no stream, no time or no picture")
    domain, app = _name(said, "app").casefold(), _name(said, "appname")
    return Snapshot(account, stream, domain, app, at, address)


def _address(value: object) -> str:
    """Return the address of a picture, encrypted: Tencent Cloud names it without encryption."""
    if not isinstance(value, str) or not 0 < len(value) <= _ADDRESS_MOST:
        return ""
    if not value.isascii() or not value.isprintable() or " " in value:
        return ""
    scheme, separator, rest = value.partition("://")
    plain = separator and scheme.casefold() == "http" and not is_loopback(value)
    return f"https://{rest}" if plain else value


def _name(said: Mapping[str, Any], name: str) -> str:
    """Return a name; empty where it is none, is too long, or would be taken for a key."""
    value = said.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _NAME_MOST or not value.isprintable():
        return ""
    return value if redact(value) == value else ""
