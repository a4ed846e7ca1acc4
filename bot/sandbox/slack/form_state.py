"""What the fields of an emulated form hold, and keep when the form is drawn anew.

Source: https://docs.slack.dev/reference/methods/views.update
"""

from collections.abc import Iterator, Mapping
from typing import Any

_HELD = {
    "plain_text_input": ("value", "initial_value"),
    "static_select": ("selected_option", "initial_option"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
}


def entries(
    view: Mapping[str, Any], before: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Give what a view's fields hold, as `state.values` does.

    A field whose `block_id` and `action_id` are those of one before keeps what that one held,
    whatever its initial value; any other begins with its own.
    """
    values: dict[str, dict[str, Any]] = {}
    for block_id, element in _fields(view):
        action_id, kind = element.get("action_id", ""), element["type"]
        held, initial = _HELD[kind]
        begins = {"type": kind, held: element.get(initial)}
        kept = before.get(block_id, {}).get(action_id)
        values.setdefault(block_id, {})[action_id] = begins if kept is None else kept
    return values


def entry(kind: str, value: Any) -> dict[str, Any]:
    """Write what somebody put into a field: a text, an option, or the id of a channel."""
    return {"type": kind, _HELD[kind][0]: value}


def _fields(view: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for block in view.get("blocks", ()):
        element = block.get("element")
        if block.get("block_id") and isinstance(element, Mapping) and element["type"] in _HELD:
            yield block["block_id"], element
