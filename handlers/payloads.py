"""Reads Slack's payloads without trusting their shape."""

from collections.abc import Mapping


def text_at(payload: object, *path: str) -> str:
    """Give the text at a path of keys; empty if it is absent or of another type."""
    for name in path:
        payload = payload.get(name) if isinstance(payload, Mapping) else None
    return payload if isinstance(payload, str) else ""
