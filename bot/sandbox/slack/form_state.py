"""The values of a form's fields, which survive an update of the form.

Source: https://docs.slack.dev/reference/methods/views.update
"""

from collections.abc import Iterator, Mapping
from typing import Any

_VALUE_KEYS = {
    "plain_text_input": ("value", "initial_value"),
    "static_select": ("selected_option", "initial_option"),
    "external_select": ("selected_option", "initial_option"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
}


def entries(
    view: Mapping[str, Any],
    before: Mapping[str, Mapping[str, Any]],
    *,
    required: bool = False,
) -> dict[str, dict[str, Any]]:
    """Return the values of a view's fields, as in `state.values`.

    A field with the `block_id` and `action_id` of an earlier one keeps the value of that one;
    any other starts with its initial value.

    Args:
        required: Only of the fields that must be filled in.
    """
    values: dict[str, dict[str, Any]] = {}
    for block_id, element in _fields(view, required=required):
        action_id, kind = element.get("action_id", ""), element["type"]
        held, initial = _VALUE_KEYS[kind]
        begins = {"type": kind, held: element.get(initial)}
        kept = before.get(block_id, {}).get(action_id)
        values.setdefault(block_id, {})[action_id] = begins if kept is None else kept
    return values


def entry(kind: str, value: Any) -> dict[str, Any]:
    """Return the state of a field with a value: a text, an option, or the id of a channel."""
    return {"type": kind, _VALUE_KEYS[kind][0]: value}


def is_empty(field: Mapping[str, Any]) -> bool:
    """Return whether a field, as in `state.values`, has no value."""
    return not any(field.get(held) for held, _ in _VALUE_KEYS.values())


def _fields(view: Mapping[str, Any], *, required: bool) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for block in view.get("blocks", ()):
        if required and block.get("optional"):
            continue
        element = block.get("element")
        if (
            block.get("block_id")
            and isinstance(element, Mapping)
            and element["type"] in _VALUE_KEYS
        ):
            yield block["block_id"], element
