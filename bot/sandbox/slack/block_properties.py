"""The properties that Slack knows of each block, element, text and view; it refuses any other.

Source: https://docs.slack.dev/reference/block-kit
"""

from collections.abc import Iterator, Mapping
from typing import Any

_BLOCKS = {
    "actions": "elements",
    "context": "elements",
    "divider": "",
    "header": "text",
    "image": "image_url slack_file alt_text title",
    "input": "label element dispatch_action hint optional",
    "markdown": "text",
    "section": "text fields accessory expand",
}
_SELECT = "placeholder confirm focus_on_load"
_STATIC = f"{_SELECT} options option_groups"
_ELEMENTS = {
    "button": "text url value style confirm accessibility_label",
    "channels_select": f"{_SELECT} initial_channel response_url_enabled",
    "checkboxes": "options initial_options confirm focus_on_load",
    "conversations_select": (
        f"{_SELECT} initial_conversation default_to_current_conversation response_url_enabled"
        " filter"
    ),
    "datepicker": f"{_SELECT} initial_date",
    "external_select": f"{_SELECT} initial_option min_query_length",
    "image": "image_url slack_file alt_text",
    "multi_static_select": f"{_STATIC} initial_options max_selected_items",
    "multi_users_select": f"{_SELECT} initial_users max_selected_items",
    "overflow": "options confirm",
    "plain_text_input": (
        "placeholder focus_on_load initial_value multiline min_length max_length"
        " dispatch_action_config"
    ),
    "radio_buttons": "options initial_option confirm focus_on_load",
    "static_select": f"{_STATIC} initial_option",
    "timepicker": f"{_SELECT} initial_time timezone",
    "users_select": f"{_SELECT} initial_user",
}
_OBJECTS = {
    "confirm": "title text confirm deny style",
    "mrkdwn": "type text verbatim",
    "option": "text value description",
    "option_group": "label options",
    "overflow_option": "text value description url",
    "plain_text": "type text emoji",
}
_VIEW = "type blocks private_metadata callback_id external_id"
_VIEWS = {
    "home": _VIEW,
    "modal": f"{_VIEW} title close submit clear_on_close notify_on_close submit_disabled",
}


def block_extras(block: Mapping[str, Any], at: str) -> Iterator[str]:
    """Yield a problem for each property that a block must not have."""
    yield from _extras(block, at, f"type block_id {_BLOCKS[str(block['type'])]}")


def element_extras(element: Mapping[str, Any], at: str) -> Iterator[str]:
    """Yield a problem for each property that an element must not have."""
    kind = str(element["type"])
    named = "type" if kind == "image" else "type action_id"
    yield from _extras(element, at, f"{named} {_ELEMENTS[kind]}")


def object_extras(given: Mapping[str, Any], at: str, kind: str) -> Iterator[str]:
    """Yield a problem for each property that a text, option or confirmation must not have."""
    yield from _extras(given, at, _OBJECTS[kind])


def view_extras(view: Mapping[str, Any]) -> Iterator[str]:
    """Yield a problem for each property that a view must not have."""
    yield from _extras(view, "", _VIEWS[str(view["type"])])


def _extras(given: Mapping[str, Any], at: str, known: str) -> Iterator[str]:
    for name in given:
        if name not in known.split():
            yield f"invalid additional property: {name} [json-pointer:{at}]"
