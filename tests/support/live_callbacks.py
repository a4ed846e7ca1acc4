"""Callbacks of Tencent Cloud Live, as the tests make them."""

import json
from typing import Any

from bot.hooks.live import signature

KEY, OTHER_KEY = "callback-key-number-1", "callback-key-number-2"
NOW = 1_700_000_000.0

BEGAN, ENDED = 1, 0


def said(event_type: int = BEGAN, *, at: float = NOW, **fields: Any) -> dict[str, Any]:
    """Return what a callback about a push says, without its signature."""
    return {
        "appid": 1250000000,
        "event_type": event_type,
        "app": "push.example.com",
        "appname": "live",
        "stream_id": "s1",
        "channel_id": "s1",
        "event_time": int(at),
        "sequence": "6674468118806626493",
        "node": "127.0.0.1",
        "user_ip": "127.0.0.1",
        "stream_param": "txSecret=5e5bf7e0aa7e0ffd1a6b26f0f1d1ac15&txTime=5FBA6A8D",
        "errcode": 0,
        "errmsg": "The push is successful",
        **fields,
    }


def signed(fields: dict[str, Any], key: str = KEY, *, expires: float = NOW + 600) -> bytes:
    """Return the body of a callback with its signature."""
    stamp = {"t": int(expires), "sign": signature(key, int(expires))}
    return json.dumps({**stamp, **fields}).encode()
