"""Writes every message of every flow: `python -m tests.tools.gallery`; a test sees that they hold.

What is written is what people read: blocks as text, buttons in [brackets], the number of words.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from handlers.messages.blocks import Block, Message
from tests.support.paths import ROOT
from tests.tools import gallery_alerts, gallery_cards, gallery_replies
from tests.tools.gallery_operations import AT, NAMES, Entry

GALLERY = ROOT / "docs" / "messages.md"

_HEAD = """\
# Every message

What the bot says, flow by flow. `python -m tests.tools.gallery` writes it, from made-up
operations, and a test compares. Buttons and fields are in [brackets]; times are those of a reader
in UTC; the number counts the words that are seen, buttons included.
"""

_DATE = re.compile(r"<!date\^(\d+)\^([^|>]*)\|[^>]*>")
_MENTION = re.compile(r"<[@#]([A-Z0-9]+)>|<!subteam\^([A-Z0-9]+)>")
_LINK = re.compile(r"<https://[^|>]*\|([^>]*)>")
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&amp;": "&"}


def written() -> str:
    """Render the gallery."""
    parts = [_HEAD]
    flow = ""
    entries = (gallery_cards.entries, gallery_alerts.entries, gallery_replies.entries)
    for entry in (one for of in entries for one in of()):
        if entry.flow != flow:
            flow = entry.flow
            parts.append(f"## {flow}\n")
        parts.append(_entry(entry))
    return "\n".join(parts)


def lines_of(shown: Message | Mapping[str, Any]) -> list[str]:
    """Return what is seen of a message or a view, line by line."""
    if isinstance(shown, Message):
        blocks: Iterable[Block] = shown.blocks
        lines = [line for block in blocks for line in _block(block)]
        return lines or _text(shown.text)
    lines = [shown["title"]["text"]] if "title" in shown else []
    lines += [line for block in shown["blocks"] for line in _block(block)]
    ends = [shown[name]["text"] for name in ("submit", "close") if name in shown]
    return lines + ([" ".join(f"[{end}]" for end in ends)] if ends else [])


def count_words(lines: Iterable[str]) -> int:
    """Return the number of words that are seen."""
    return sum(bool(re.search(r"\w", word)) for line in lines for word in line.split())


def _entry(entry: Entry) -> str:
    lines = lines_of(entry.shown)
    body = "\n".join(lines)
    return f"### {entry.title}\n\n{entry.to} · {count_words(lines)} words\n\n~~~text\n{body}\n~~~\n"


def _block(block: Block) -> list[str]:
    kind = block["type"]
    if kind == "section":
        lines = _text(block["text"]["text"]) if "text" in block else []
        lines += [line for field in block.get("fields", ()) for line in _text(field["text"])]
        return lines + ([_element(block["accessory"])] if "accessory" in block else [])
    if kind == "context":
        return [f"  {line}" for one in block["elements"] for line in _text(one["text"])]
    if kind == "actions":
        return [" ".join(map(_element, block["elements"]))]
    if kind == "header":
        return [f"# {block['text']['text']}"]
    if kind == "input":
        hint = f" ({block['hint']['text']})" if "hint" in block else ""
        return [f"{block['label']['text']}: {_element(block['element'])}{hint}"]
    return [] if kind == "divider" else [str(block)]


def _element(element: Block) -> str:
    if "text" in element:
        return f"[{element['text']['text']}]"
    chosen = element.get("initial_option") or {}
    held = element.get("initial_value") or chosen.get("text", {}).get("text", "")
    options = [one["text"]["text"] for one in element.get("options", ())]
    for group in element.get("option_groups", ()):
        options += [one["text"]["text"] for one in group["options"]]
    offered = f" of {len(options)}" if options else ""
    return f"[{held or element.get('placeholder', {}).get('text', '')}{offered}]"


def _text(text: str) -> list[str]:
    text = _DATE.sub(_date, text)
    text = _MENTION.sub(lambda found: NAMES[found[1] or found[2]], text)
    text = _LINK.sub(r"\1", text)
    for entity, char in _ENTITIES.items():
        text = text.replace(entity, char)
    return text.splitlines()


def _date(found: re.Match[str]) -> str:
    at = datetime.fromtimestamp(int(found[1]), UTC)
    clock = f"{at:%I:%M %p}".lstrip("0")
    same_day = int(found[1]) // 86_400 == AT // 86_400
    day = "Today" if same_day else f"{at:%b} {at.day}, {at.year}"
    return found[2].replace("{date_short_pretty}", day).replace("{time}", clock)


if __name__ == "__main__":
    GALLERY.write_text(written())
