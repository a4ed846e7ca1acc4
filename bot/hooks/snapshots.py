"""The callback of Live's snapshots: a picture of a stream has been stored; pure.

Source: https://www.tencentcloud.com/document/product/267/38083
"""

from collections.abc import Mapping
from typing import Any

from bot.addresses import is_loopback
from bot.hooks import fields
from bot.model.live_notices import Snapshot

KIND = 200
"""Its `event_type`."""

_NAMES = ("stream_id", "app", "appname")


def parse(said: Mapping[str, Any], account: str) -> Snapshot:
    """Return what a genuine callback says.

    Args:
        account: Whose key signed it.

    Raises:
        ValueError: It names no stream, no time or no picture.
    """
    stream, domain, app = (fields.name_of(said.get(name)) for name in _NAMES)
    at = fields.time_at(said, "create_time")
    address = _encrypted(fields.address_of(said.get("pic_full_url")))
    if not stream or at is None or not address:
        raise ValueError("it names no stream, no time or no picture")
    return Snapshot(account, stream, domain.casefold(), app, at, address)


def _encrypted(address: str) -> str:
    """Return an address with encryption: Tencent Cloud names its bucket's without."""
    scheme, separator, rest = address.partition("://")
    plain = separator and scheme.casefold() == "http" and not is_loopback(address)
    return f"https://{rest}" if plain else address
