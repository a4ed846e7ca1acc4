"""Reads Slack's payloads without trusting their shape; pure."""

from collections.abc import Mapping
from types import NoneType
from typing import Any, Literal

from bot.model.commands import Invocation, Via
from bot.model.people import Actor, Place

RETRY = "x-slack-retry-num"
"""A header by which Slack says that it delivers an event again."""

_TEXT, _OBJECT = (str, NoneType), (dict, str, NoneType)
_SHAPES: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(
        ("type", "command", "callback_id", "team_id", "user_id", "trigger_id", "event_id"), _TEXT
    ),
    **dict.fromkeys(
        ("enterprise", "team", "user", "channel", "container", "message", "state"), _OBJECT
    ),
}
"""What Bolt assumes that a field is; of others it assumes nothing."""

_ANY = (object,)


def text_at(payload: object, *path: str) -> str:
    """Return the text at a path of keys; empty if it is absent or of another type."""
    for name in path:
        payload = payload.get(name) if isinstance(payload, dict) else None
    return payload if isinstance(payload, str) else ""


def actor_of(body: Mapping[str, Any]) -> Actor | None:
    """Return who pressed, chose or sent something; None if Slack did not say."""
    user = text_at(body, "user", "id")
    team = text_at(body, "user", "team_id") or text_at(body, "team", "id")
    return Actor(team, user) if user and team else None


def place_of(body: Mapping[str, Any]) -> Place:
    """Return where a button is; an empty place for one of the home tab."""
    return Place(
        text_at(body, "channel", "id") or text_at(body, "container", "channel_id"),
        text_at(body, "container", "thread_ts") or text_at(body, "message", "thread_ts"),
        text_at(body, "response_url"),
    )


def message_ts(body: Mapping[str, Any]) -> str:
    """Return the time of the message whose button was pressed; empty where it is in none."""
    return text_at(body, "container", "message_ts") or text_at(body, "message", "ts")


def button_invocation(body: Mapping[str, Any]) -> Invocation | None:
    """Return who pressed a button and where; None if Slack did not say who."""
    key, actor = text_at(body, "trigger_id"), actor_of(body)
    return Invocation(key, actor, place_of(body), "", Via.BUTTON, None) if actor else None


def form_invocation(body: Mapping[str, Any], place: Place) -> Invocation | None:
    """Return who uses a form and where the answer goes; None if it lacks what a run needs."""
    key, actor = text_at(body, "trigger_id"), actor_of(body)
    return Invocation(key, actor, place, "", Via.FORM, None) if key and actor else None


def kind_of(body: Mapping[str, Any]) -> Literal["command", "event", "interaction"]:
    """Return what Slack sends."""
    if "command" in body:
        return "command"
    return "event" if "event" in body else "interaction"


def well_formed(body: Mapping[str, Any]) -> bool:
    """Return whether a request has the shape that Bolt assumes and raises without."""
    return (
        all(isinstance(value, _SHAPES.get(name, _ANY)) for name, value in body.items())
        and _all_objects(body.get("authorizations") or [])
        and _matches_type(body)
    )


def _matches_type(body: Mapping[str, Any]) -> bool:
    match body.get("type"):
        case "event_callback":
            return bool(text_at(body, "event", "type"))
        case "view_submission" | "view_closed":
            return bool(text_at(body, "view", "type") and text_at(body, "view", "callback_id"))
        case "block_actions":
            return bool(body.get("actions")) and _all_objects(body["actions"])
        case _:
            return all(isinstance(body.get(name), dict | None) for name in ("event", "view"))


def _all_objects(found: object) -> bool:
    return isinstance(found, list) and all(isinstance(one, dict) for one in found)
