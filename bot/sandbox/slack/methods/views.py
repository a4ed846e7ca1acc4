"""`views.*`: forms and the home tab.

Source: https://docs.slack.dev/reference/methods/views.open
"""

import json
from collections.abc import Mapping
from typing import Any

from bot.sandbox.slack import block_kit
from bot.sandbox.slack.form_state import entries
from bot.sandbox.slack.methods.arguments import Arguments, Method, SlackError, messages, parse_json
from bot.sandbox.slack.state import WorkspaceState

TRIGGER_LIFETIME = 3.0
"""Seconds within which a trigger opens a form."""

_LARGEST_VIEW = 250_000
_MOST_VIEWS = 3


def _open(state: WorkspaceState, args: Arguments) -> Mapping[str, Any]:
    user = _exchange_trigger(state, str(args.get("trigger_id", "")))
    view = parse_view(state, args.get("view"))
    state.beneath.pop(user, None)
    state.modals.pop(user, None)
    push_view(state, user, view)
    state.changed()
    return {"view": view}


def _push(state: WorkspaceState, args: Arguments) -> Mapping[str, Any]:
    user = _exchange_trigger(state, str(args.get("trigger_id", "")))
    view = parse_view(state, args.get("view"))
    push_view(state, user, view)
    state.changed()
    return {"view": view}


def push_view(state: WorkspaceState, user: str, view: dict[str, Any]) -> None:
    """Show a view on top of what a person sees.

    Raises:
        SlackError: There are three already.
    """
    beneath = state.beneath.setdefault(user, [])
    if user in state.modals:
        if len(beneath) + 1 >= _MOST_VIEWS:
            raise SlackError("push_limit_reached")
        beneath.append(state.modals[user])
    view["id"] = state.timestamps.id("V")
    state.modals[user] = view


def _exchange_trigger(state: WorkspaceState, trigger: str) -> str:
    """Return the user of a trigger, which is valid once and briefly."""
    found = state.triggers.get(trigger)
    if found is None:
        raise SlackError("invalid_trigger_id")
    user, at, used = found
    if used:
        raise SlackError("exchanged_trigger_id")
    if state.clock() - at > TRIGGER_LIFETIME:
        raise SlackError("expired_trigger_id")
    state.triggers[trigger] = (user, at, True)
    return user


def parse_view(
    state: WorkspaceState, given: Any, before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return a view with its fields' values, which it takes over from the view before it.

    Raises:
        SlackError: Slack would refuse it.
    """
    view = parse_json(given)
    problems = block_kit.view_problems(view)
    if problems:
        raise SlackError("invalid_arguments", response_metadata=messages(problems))
    if len(json.dumps(view)) > _LARGEST_VIEW:
        raise SlackError("view_too_large")
    values = entries(view, before["state"]["values"] if before else {})
    return {**view, "hash": state.timestamps.ts(), "state": {"values": values}}


def _update(state: WorkspaceState, args: Arguments) -> Mapping[str, Any]:
    for user, top in state.modals.items():
        beneath = state.beneath.get(user, [])
        for place, view in enumerate([*beneath, top]):
            if view["id"] != args.get("view_id"):
                continue
            if args.get("hash") and args["hash"] != view["hash"]:
                raise SlackError("hash_conflict")
            # A new object: what shows the forms compares it with the one before.
            updated = {**parse_view(state, args.get("view"), view), "id": view["id"]}
            if view is top:
                state.modals[user] = updated
            else:
                beneath[place] = updated
            state.changed()
            return {"view": updated}
    raise SlackError("not_found")


def _publish(state: WorkspaceState, args: Arguments) -> Mapping[str, Any]:
    user = str(args.get("user_id", ""))
    if user not in state.users:
        raise SlackError("user_not_found")
    state.homes[user] = parse_view(state, args.get("view"))
    state.changed()
    return {"view": state.homes[user]}


METHODS: Mapping[str, Method] = {
    "views.open": _open,
    "views.push": _push,
    "views.update": _update,
    "views.publish": _publish,
}
