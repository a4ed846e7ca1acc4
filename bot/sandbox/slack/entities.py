"""The users, channels, messages and files of the emulated workspace."""

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class User:
    """A user, with the field names of Slack's API."""

    id: str
    name: str
    team_id: str
    is_bot: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool = False
    deleted: bool = False
    tz: str = "Europe/Amsterdam"
    real_name: str = ""

    def info(self) -> dict[str, Any]:
        """Return the user as `users.info` does."""
        return {
            "id": self.id,
            "name": self.name,
            "real_name": self.real_name or self.name.title(),
            "team_id": self.team_id,
            "tz": self.tz,
            "is_bot": self.is_bot,
            "is_restricted": self.is_restricted,
            "is_ultra_restricted": self.is_ultra_restricted,
            "is_stranger": self.is_stranger,
            "deleted": self.deleted,
            "profile": {"real_name": self.real_name or self.name.title()},
        }


@dataclass(slots=True)
class Message:
    """A message in its current state.

    Attributes:
        edits: How often it was edited.
        edited: When it was last edited: a timestamp of Slack's.
        to: The one user who sees it; empty for everyone.
        files: Id and name of each file that it shares.
    """

    ts: str
    user: str
    text: str
    blocks: list[Any]
    thread_ts: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    bot_id: str = ""
    edits: int = 0
    edited: str = ""
    to: str = ""
    files: tuple[tuple[str, str], ...] = ()

    def data(self, *, metadata: bool = False) -> dict[str, Any]:
        """Return the message as `conversations.history` does."""
        found: dict[str, Any] = {
            "type": "message",
            "ts": self.ts,
            "user": self.user,
            "text": self.text,
            "blocks": self.blocks,
        }
        if self.bot_id:
            found["bot_id"] = self.bot_id
        if self.thread_ts:
            found["thread_ts"] = self.thread_ts
        if self.edited and not self.blocks:
            # Slack does not mark an edited message that has blocks.
            found["edited"] = {"user": self.user, "ts": self.edited}
        if metadata and self.metadata:
            found["metadata"] = self.metadata
        return found

    def buttons(self) -> dict[str, dict[str, Any]]:
        """Return the buttons by their label."""
        return {
            element["text"]["text"]: element | {"block_id": block.get("block_id", "")}
            for block in self.blocks
            for element in (*block.get("elements", ()), block.get("accessory") or {})
            if element.get("type") == "button"
        }


@dataclass(slots=True)
class Channel:
    """A channel and its messages."""

    id: str
    name: str
    members: set[str]
    is_private: bool = False
    is_archived: bool = False
    messages: list[Message] = field(default_factory=list)

    @property
    def roots(self) -> list[Message]:
        """The messages outside threads that every member sees."""
        return [m for m in self.messages if not m.thread_ts and not m.to]

    def thread(self, ts: str) -> list[Message]:
        """Return the replies to a message that every member sees."""
        return [m for m in self.messages if m.thread_ts == ts and not m.to]

    def find(self, ts: str) -> Message | None:
        """Return a message."""
        return next((m for m in self.messages if m.ts == ts), None)

    def info(self, bot: str) -> dict[str, Any]:
        """Return the channel as `conversations.info` does."""
        kind = {"C": "is_channel", "G": "is_group", "D": "is_im"}[self.id[0]]
        found: dict[str, Any] = {"id": self.id, "name": self.name, kind: True}
        found |= {"is_private": self.is_private, "is_archived": self.is_archived}
        if kind == "is_im":
            found["user"] = next(iter(self.members - {bot}), "")
        else:
            found["is_member"] = bot in self.members
        return found


@dataclass(slots=True)
class File:
    """A file that is uploaded, or will be.

    Attributes:
        length: Bytes that were announced.
        channel: The channel where it is shared; empty for none.
    """

    id: str
    name: str
    length: int
    content: bytes = b""
    channel: str = ""


class Timestamps:
    """Creates Slack's timestamps, each later than the one before, and other unique ids."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = 0
        self._ids = itertools.count(1)

    def ts(self) -> str:
        """Return the next timestamp: seconds with six decimals."""
        self._last = max(self._last + 1, int(self._clock() * 1_000_000))
        return f"{self._last // 1_000_000}.{self._last % 1_000_000:06d}"

    def id(self, prefix: str) -> str:
        """Return a new unique id."""
        return f"{prefix}{next(self._ids):08d}"


_AUTO_LINK = re.compile(r"(?:https?|rtmps?|webrtc)://[^\s<>]+")


def escaped(text: str) -> str:
    """Return typed text as Slack sends it with `should_escape`."""
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _AUTO_LINK.sub(lambda found: f"<{found[0]}>", safe)
