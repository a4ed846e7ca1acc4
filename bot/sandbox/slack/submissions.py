"""The submission of a form: what must be filled in, and what the app may answer.

Source: https://docs.slack.dev/surfaces/modals
"""

from collections.abc import Mapping
from typing import Any

from bot.sandbox.slack.form_state import entries, is_empty
from bot.sandbox.slack.methods.arguments import SlackError
from bot.sandbox.slack.methods.views import parse_view, push_view
from bot.sandbox.slack.state import WorkspaceState

REQUIRED = "Please complete this required field."
INVALID = "invalid_response"
"""The error of an answer that Slack cannot use; Slack itself shows no code, only trouble."""


def missing(view: Mapping[str, Any], values: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return a sentence for each required input that is empty, by `block_id`.

    Slack's own form says so, and sends nothing to the app.
    """
    return {
        block_id: REQUIRED
        for block_id, fields in entries(view, values, required=True).items()
        if any(map(is_empty, fields.values()))
    }


def take_answer(state: WorkspaceState, user: str, body: Mapping[str, Any]) -> str:
    """Do what the app answers to a submission, and return an error; empty for none."""
    view = state.modals[user]
    match body.get("response_action"):
        case None:
            close_view(state, user)
        case "clear":
            state.beneath.pop(user, None)
            close_view(state, user)
        case "errors":
            inputs = {b.get("block_id") for b in view["blocks"] if b["type"] == "input"}
            errors = body.get("errors") or {}
            return "" if errors and inputs.issuperset(errors) else INVALID
        case "update" | "push" as action:
            try:
                if action == "push":
                    push_view(state, user, parse_view(state, body.get("view")))
                else:
                    updated = parse_view(state, body.get("view"), view)
                    state.modals[user] = {**updated, "id": view["id"]}
            except SlackError:
                return INVALID
        case _:
            return INVALID
    state.changed()
    return ""


def close_view(state: WorkspaceState, user: str) -> dict[str, Any] | None:
    """Close and return the form on top, and show the one beneath it."""
    closed = state.modals.pop(user, None)
    if state.beneath.get(user):
        state.modals[user] = state.beneath[user].pop()
    return closed
