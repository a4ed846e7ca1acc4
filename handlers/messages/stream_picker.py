"""The field in which a live stream is picked, and its options; pure.

Source: https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element
"""

import json

from bot.commands.diagnostics import printable
from bot.operations.results import LiveList, LiveStream
from handlers.messages.blocks import Block, plain
from handlers.messages.wording import span_text

LIVE_BLOCK = "live"
"""The block_id of the field."""

PICK_STREAM = "pick-stream"
"""Prefix of the field's action_id; the account that is chosen in the form follows a colon."""

OTHERWISE = "Not listed? Its name or URL"
"""The label of the field that takes any other stream."""

_TEXT_MOST = 75
_VALUE_MOST = 75
_OPTIONS_MOST = 100


def stream_picker(account: str) -> Block:
    """Return the field; Slack asks for its options as soon as it is opened.

    Args:
        account: Another one empties the field, because it has other streams.
    """
    return {
        "type": "input",
        "block_id": LIVE_BLOCK,
        "optional": True,
        "label": plain("Live now"),
        "element": {
            "type": "external_select",
            "action_id": f"{PICK_STREAM}:{account}",
            "placeholder": plain("Pick a live stream"),
            "min_query_length": 0,
        },
    }


def stream_options(live: LiveList, usual: LiveStream) -> list[Block]:
    """Return the options, each with its domain and path as far as they are not the usual ones.

    Where the list is not fresh, each says since when it is known.

    A stream whose names are too long for an option is left out; its name can be typed.

    Args:
        usual: With the domain and the path that the form fills in.
    """
    encoded = ((one, _encoded(one)) for one in live.streams)
    found = [
        {"text": plain(_name(one, usual), _TEXT_MOST), "value": value, **_known(one, live)}
        for one, value in encoded
        if len(value.encode()) <= _VALUE_MOST
    ]
    return found[:_OPTIONS_MOST]


def _known(one: LiveStream, live: LiveList) -> Block:
    """Return the description of an option: how old what is known is; empty where it is fresh."""
    if live.age is None:
        ago = span_text(live.told[one]) if one in live.told else "some time"
        return {"description": plain(f"Push began {ago} ago (callback, not checked)", _TEXT_MOST)}
    if live.age >= 1:
        return {"description": plain(f"Live {span_text(live.age)} ago; not checked since")}
    return {}


def picked_stream(value: str) -> LiveStream | None:
    """Return the stream of an option's value; None if it is not one."""
    try:
        stream, domain, app = json.loads(value)
    except (TypeError, ValueError):
        return None
    key = (stream, domain, app)
    return LiveStream(*key) if all(isinstance(one, str) and one for one in key) else None


def _encoded(one: LiveStream) -> str:
    key = [one.stream, one.domain, one.app]
    return json.dumps(key, ensure_ascii=False, separators=(",", ":"))


def _name(one: LiveStream, usual: LiveStream) -> str:
    if one.app != usual.app:
        return printable(f"{one.stream} · {one.domain}/{one.app}")
    return printable(one.stream if one.domain == usual.domain else f"{one.stream} · {one.domain}")
