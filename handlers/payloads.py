"""Reads Slack's payloads without trusting their shape; pure."""

from collections.abc import Mapping
from typing import Any

_OBJECTS = ("enterprise", "team", "user", "channel", "container", "message", "state")
_TEXTS = ("type", "command", "callback_id", "team_id", "user_id", "trigger_id", "event_id")


def text_at(payload: object, *path: str) -> str:
    """Give the text at a path of keys; empty if it is absent or of another type."""
    for name in path:
        payload = payload.get(name) if isinstance(payload, Mapping) else None
    return payload if isinstance(payload, str) else ""


def well_formed(body: Mapping[str, Any]) -> bool:
    """Say whether a request has the shape that Bolt takes for granted and breaks without."""
    return (
        all(isinstance(body.get(name), str | None) for name in _TEXTS)
        and all(isinstance(body.get(name), Mapping | str | None) for name in _OBJECTS)
        and _all_objects(body.get("authorizations") or [])
        and _as_its_type_demands(body)
    )


def _as_its_type_demands(body: Mapping[str, Any]) -> bool:
    match body.get("type"):
        case "event_callback":
            return bool(text_at(body, "event", "type"))
        case "view_submission" | "view_closed":
            return bool(text_at(body, "view", "type") and text_at(body, "view", "callback_id"))
        case "block_actions":
            return bool(body.get("actions")) and _all_objects(body["actions"])
        case _:
            return all(isinstance(body.get(name), Mapping | None) for name in ("event", "view"))


def _all_objects(found: object) -> bool:
    return isinstance(found, list) and all(isinstance(one, Mapping) for one in found)
