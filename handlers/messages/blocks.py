"""Messages and the blocks that they are built from, within Slack's limits; pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from handlers.messages.mrkdwn import truncate

Block: TypeAlias = dict[str, Any]

TEXT_MOST = 4000
"""Characters of a message's text; chat.update refuses more."""

SECTION_MOST = 3000


@dataclass(frozen=True, slots=True)
class Message:
    """A message for Slack.

    Attributes:
        text: The complete message, in mrkdwn: phones and screen readers show nothing else.
        blocks: The same, arranged; may be empty.
    """

    text: str
    blocks: tuple[Block, ...] = ()


def section(text: str) -> Block:
    """Return a section of mrkdwn in which Slack links nothing by itself."""
    return {"type": "section", "text": _mrkdwn(truncate(text, SECTION_MOST))}


def context(text: str) -> Block:
    """Return a line of small print."""
    return {"type": "context", "elements": [_mrkdwn(truncate(text, SECTION_MOST))]}


def _mrkdwn(text: str) -> Block:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def plain(text: str, most: int = 2000) -> Block:
    """Return plain text, as labels, titles and options need it."""
    return {"type": "plain_text", "text": truncate(text, most), "emoji": False}


def button_row(*elements: Block) -> Block:
    """Return a block with buttons side by side."""
    return {"type": "actions", "elements": list(elements)}


def arrange(lines: Iterable[str], most_blocks: int = 40) -> Message:
    """Return a message of lines, in as few sections as their limits allow."""
    lines = list(lines)
    sections: list[str] = []
    for line in lines:
        if sections and len(sections[-1]) + len(line) + 1 < SECTION_MOST:
            sections[-1] += "\n" + line
        else:
            sections.append(line)
    blocks = tuple(section(text) for text in sections[:most_blocks])
    return Message(truncate("\n".join(lines), TEXT_MOST), blocks)
