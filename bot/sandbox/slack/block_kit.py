"""A validator for Block Kit that refuses what Slack refuses, with the messages of Slack.

Source: https://docs.slack.dev/reference/block-kit
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from bot.sandbox.slack.block_properties import (
    block_extras,
    element_extras,
    object_extras,
    view_extras,
)

MESSAGE, MODAL, HOME = "message", "modal", "home"

_MOST_BLOCKS = {MESSAGE: 50, MODAL: 100, HOME: 100}
_SELECTS = (
    "static_select",
    "multi_static_select",
    "users_select",
    "conversations_select",
    "channels_select",
    "external_select",
    "multi_users_select",
)
_MOST_GROUPS = 100
_WITH_GROUPS = frozenset({"external_select", "static_select", "multi_static_select"})
_MRKDWN_OPTIONS = frozenset({"radio_buttons", "checkboxes"})
_MOST_OPTIONS = {
    "external_select": 100,
    "static_select": 100,
    "multi_static_select": 100,
    "overflow": 5,
    "radio_buttons": 10,
    "checkboxes": 10,
}
_IN_ACTIONS = frozenset(
    {"button", "overflow", "radio_buttons", "checkboxes", "datepicker", "timepicker", *_SELECTS}
)
_IN_INPUT = frozenset(
    {"plain_text_input", "radio_buttons", "checkboxes", "datepicker", "timepicker", *_SELECTS}
)


def problems(blocks: Any, surface: str = MESSAGE) -> list[str]:
    """Return every problem of some blocks, each with its JSON pointer."""
    return list(_blocks(blocks, surface))


def option_problems(answer: Any) -> list[str]:
    """Return every problem of what an app answers when it is asked for options."""
    if not isinstance(answer, Mapping):
        return ["must be an object [json-pointer:]"]
    if answer.get("options") == []:
        return []
    return list(_choices({**answer, "type": "external_select"}, ""))


def view_problems(view: Any) -> list[str]:
    """Return every problem of a modal or home view."""
    if not isinstance(view, Mapping) or view.get("type") not in (MODAL, HOME):
        return ["must be a modal or home view [json-pointer:/type]"]
    surface = str(view["type"])
    found = [*view_extras(view), *_blocks(view.get("blocks"), surface, "/blocks")]
    if surface == MODAL:
        for name in ("title", "submit", "close"):
            given = view.get(name)
            if given is None and name != "title":
                continue
            found += _text(given, f"/{name}", 24, plain=True)
        has_input = any(b.get("type") == "input" for b in view.get("blocks") or ())
        if has_input and view.get("submit") is None:
            found.append("missing submit while there are inputs [json-pointer:/submit]")
    found += _long(view.get("private_metadata"), "/private_metadata", 3000, least=0)
    found += _long(view.get("callback_id"), "/callback_id", 255, least=0)
    return found


def _blocks(blocks: Any, surface: str, pointer: str = "/blocks") -> Iterator[str]:
    if not isinstance(blocks, Sequence) or isinstance(blocks, str):
        yield f"must be a list [json-pointer:{pointer}]"
        return
    if len(blocks) > _MOST_BLOCKS[surface]:
        yield f"no more than {_MOST_BLOCKS[surface]} items allowed [json-pointer:{pointer}]"
    ids: set[str] = set()
    for number, block in enumerate(blocks):
        at = f"{pointer}/{number}"
        if not isinstance(block, Mapping):
            yield f"must be an object [json-pointer:{at}]"
            continue
        block_id = block.get("block_id")
        yield from _long(block_id, f"{at}/block_id", 255)
        if block_id and block_id in ids:
            yield f"duplicate block_id [json-pointer:{at}/block_id]"
        ids.add(str(block_id))
        yield from _block(block, at)


def _block(block: Mapping[str, Any], at: str) -> Iterator[str]:
    check = _BLOCKS.get(str(block.get("type")))
    if check is None:
        yield f"unsupported type: {block.get('type')} [json-pointer:{at}/type]"
    else:
        yield from block_extras(block, at)
        yield from check(block, at)


def _header(block: Mapping[str, Any], at: str) -> Iterator[str]:
    yield from _text(block.get("text"), f"{at}/text", 150, plain=True)


def _actions(block: Mapping[str, Any], at: str) -> Iterator[str]:
    elements = block.get("elements")
    yield from _count(elements, f"{at}/elements", 25)
    for number, element in enumerate(elements or ()):
        yield from _element(element, f"{at}/elements/{number}", _IN_ACTIONS)
    yield from _equal_ids(elements, f"{at}/elements")


def _equal_ids(elements: Any, at: str) -> Iterator[str]:
    """Yield a problem for each `action_id` that an earlier element of the block has."""
    ids: set[str] = set()
    for number, element in enumerate(elements or ()):
        action_id = element.get("action_id") if isinstance(element, Mapping) else None
        if action_id and action_id in ids:
            yield f'`action_id` "{action_id}" already exists [json-pointer:{at}/{number}/action_id]'
        ids.add(str(action_id))


def _input(block: Mapping[str, Any], at: str) -> Iterator[str]:
    yield from _text(block.get("label"), f"{at}/label", 2000, plain=True)
    if block.get("hint") is not None:
        yield from _text(block["hint"], f"{at}/hint", 2000, plain=True)
    yield from _element(block.get("element"), f"{at}/element", _IN_INPUT)


def _image(block: Mapping[str, Any], at: str) -> Iterator[str]:
    yield from _needed(block, at, "image_url", 3000)
    yield from _needed(block, at, "alt_text", 2000)


def _markdown(block: Mapping[str, Any], at: str) -> Iterator[str]:
    yield from _needed(block, at, "text", 12_000)


def _divider(_block: Mapping[str, Any], _at: str) -> Iterator[str]:
    yield from ()


def _section(block: Mapping[str, Any], at: str) -> Iterator[str]:
    fields = block.get("fields")
    if block.get("text") is None and not fields:
        yield f"missing required field: text [json-pointer:{at}]"
    if block.get("text") is not None:
        yield from _text(block["text"], f"{at}/text", 3000)
    if fields is not None:
        yield from _count(fields, f"{at}/fields", 10)
        for number, one in enumerate(fields):
            yield from _text(one, f"{at}/fields/{number}", 2000)
    if block.get("accessory") is not None:
        yield from _element(block["accessory"], f"{at}/accessory", _IN_ACTIONS | {"image"})


def _context(block: Mapping[str, Any], at: str) -> Iterator[str]:
    elements = block.get("elements")
    yield from _count(elements, f"{at}/elements", 10)
    for number, element in enumerate(elements or ()):
        if isinstance(element, Mapping) and element.get("type") == "image":
            yield from _element(element, f"{at}/elements/{number}", frozenset({"image"}))
            continue
        yield from _text(element, f"{at}/elements/{number}", 3000)


_BLOCKS: Mapping[str, Callable[[Mapping[str, Any], str], Iterator[str]]] = {
    "actions": _actions,
    "context": _context,
    "divider": _divider,
    "header": _header,
    "image": _image,
    "input": _input,
    "markdown": _markdown,
    "section": _section,
}


def _element(element: Any, at: str, allowed: frozenset[str] | set[str]) -> Iterator[str]:
    if not isinstance(element, Mapping) or element.get("type") not in allowed:
        kind = element.get("type") if isinstance(element, Mapping) else None
        yield f"unsupported type: {kind} [json-pointer:{at}/type]"
        return
    yield from element_extras(element, at)
    yield from _long(element.get("action_id"), f"{at}/action_id", 255)
    if element["type"] == "button":
        yield from _button(element, at)
    if element["type"] == "plain_text_input":
        yield from _plain_text_input(element, at)
    if element["type"] == "image":
        yield from _image(element, at)
    if element["type"] == "external_select":
        yield from _asked_for(element, at)
    elif element["type"] in _MOST_OPTIONS:
        yield from _choices(element, at)
    if element.get("placeholder") is not None:
        yield from _text(element["placeholder"], f"{at}/placeholder", 150, plain=True)
    if element.get("confirm") is not None:
        yield from _confirm(element["confirm"], f"{at}/confirm")


def _plain_text_input(element: Mapping[str, Any], at: str) -> Iterator[str]:
    most = element.get("max_length", 3000)
    if not isinstance(most, int) or not 1 <= most <= 3000:  # noqa: PLR2004 (Slack's limit)
        yield f"must be less than 3001 [json-pointer:{at}/max_length]"
    yield from _long(element.get("initial_value"), f"{at}/initial_value", min(most, 3000), least=0)


def _asked_for(element: Mapping[str, Any], at: str) -> Iterator[str]:
    """Check a menu whose options the app is asked for."""
    least = element.get("min_query_length")
    if least is not None and (not isinstance(least, int) or isinstance(least, bool) or least < 0):
        yield f"must be an integer, 0 or more [json-pointer:{at}/min_query_length]"
    if element.get("initial_option") is not None:
        yield from _options([element["initial_option"]], f"{at}/initial_option", element["type"])


def _button(element: Mapping[str, Any], at: str) -> Iterator[str]:
    yield from _text(element.get("text"), f"{at}/text", 75, plain=True)
    yield from _long(element.get("value"), f"{at}/value", 2000)
    yield from _long(element.get("url"), f"{at}/url", 3000)
    yield from _long(element.get("accessibility_label"), f"{at}/accessibility_label", 75)
    if element.get("style") not in (None, "primary", "danger"):
        yield f"must be primary or danger [json-pointer:{at}/style]"


def _confirm(confirm: Any, at: str) -> Iterator[str]:
    if not isinstance(confirm, Mapping):
        yield f"must be an object [json-pointer:{at}]"
        return
    yield from object_extras(confirm, at, "confirm")
    if confirm.get("style") not in (None, "primary", "danger"):
        yield f"must be primary or danger [json-pointer:{at}/style]"
    for name, most in (("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)):
        yield from _text(confirm.get(name), f"{at}/{name}", most, plain=name != "text")


def _choices(element: Mapping[str, Any], at: str) -> Iterator[str]:
    """Check the options of an element, which some may have in groups."""
    kind, groups = str(element["type"]), element.get("option_groups")
    if groups is None or kind not in _WITH_GROUPS:
        yield from _options(element.get("options"), f"{at}/options", kind)
        return
    if element.get("options") is not None:
        yield f"must define either `options` or `option_groups` [json-pointer:{at}]"
    yield from _count(groups, f"{at}/option_groups", _MOST_GROUPS)
    for number, group in enumerate(groups or ()):
        here = f"{at}/option_groups/{number}"
        if not isinstance(group, Mapping):
            yield f"must be an object [json-pointer:{here}]"
            continue
        yield from object_extras(group, here, "option_group")
        yield from _text(group.get("label"), f"{here}/label", 75, plain=True)
        yield from _options(group.get("options"), f"{here}/options", kind)


def _options(options: Any, at: str, kind: str) -> Iterator[str]:
    yield from _count(options, at, _MOST_OPTIONS[kind])
    for number, option in enumerate(options or ()):
        here = f"{at}/{number}"
        if not isinstance(option, Mapping):
            yield f"must be an object [json-pointer:{here}]"
            continue
        yield from object_extras(
            option, here, "overflow_option" if kind == "overflow" else "option"
        )
        yield from _text(option.get("text"), f"{here}/text", 75, plain=kind not in _MRKDWN_OPTIONS)
        yield from _needed(option, here, "value", 75)
        if option.get("description") is not None:
            yield from _text(option["description"], f"{here}/description", 75, plain=True)


def _count(items: Any, at: str, most: int) -> Iterator[str]:
    if not isinstance(items, Sequence) or isinstance(items, str) or not items:
        yield f"no fewer than 1 items [json-pointer:{at}]"
    elif len(items) > most:
        yield f"no more than {most} items allowed [json-pointer:{at}]"


def _text(text: Any, at: str, most: int, *, plain: bool = False) -> Iterator[str]:
    kinds = ("plain_text",) if plain else ("plain_text", "mrkdwn")
    if not isinstance(text, Mapping) or text.get("type") not in kinds:
        yield f"must be a {' or '.join(kinds)} object [json-pointer:{at}]"
        return
    yield from object_extras(text, at, str(text["type"]))
    written = text.get("text")
    if not isinstance(written, str) or not written:
        yield f"must be more than 0 characters [json-pointer:{at}/text]"
    else:
        yield from _long(written, f"{at}/text", most)


def _needed(block: Mapping[str, Any], at: str, name: str, most: int) -> Iterator[str]:
    if not block.get(name):
        yield f"missing required field: {name} [json-pointer:{at}]"
    else:
        yield from _long(block[name], f"{at}/{name}", most)


def _long(text: Any, at: str, most: int, *, least: int = 1) -> Iterator[str]:
    if text is None:
        return
    if not isinstance(text, str):
        yield f"must be a string [json-pointer:{at}]"
    elif _utf16(text) > most:
        yield f"must be less than {most + 1} characters [json-pointer:{at}]"
    elif len(text) < least:
        yield f"must be more than {least - 1} characters [json-pointer:{at}]"


def _utf16(text: str) -> int:
    """Return the length as Slack counts it: in UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2
