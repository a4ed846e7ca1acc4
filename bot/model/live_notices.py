"""What Tencent Cloud says of a live stream by a callback, and the streams that are watched."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from bot.model.operations import Operation


class NoticeKind(StrEnum):
    """What a notice says of a stream."""

    BEGAN = "began"
    """An encoder began to push it."""
    ENDED = "ended"
    """The push has ended."""


@dataclass(frozen=True, slots=True)
class LiveNotice:
    """A notice about a stream: a hint, because its signature covers no more than a time.

    Attributes:
        account: The cloud account whose key signed it.
        stream, domain, app: What the stream is called: foreign text.
        at: When it happened, epoch seconds, as the notice says.
        sequence: The same for the begin and the end of one push; foreign text.
    """

    account: str
    kind: NoticeKind
    stream: str
    domain: str
    app: str
    at: float
    sequence: str = ""

    @property
    def key(self) -> str:
        """What is the same in a repeat of this notice, and in no other."""
        parts = (self.account, self.kind, self.domain, self.app, self.stream, self.at)
        return json.dumps([*parts, self.sequence])

    @property
    def resource_key(self) -> str:
        """What identifies the stream on the off-air list; see `effects.resource_key`."""
        return json.dumps([self.stream, self.domain, self.app])


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A notice that a picture of a stream is stored: a hint, like any other.

    Attributes:
        account: The cloud account whose key signed it.
        stream, domain, app: What the stream is called: foreign text; the last two may be empty.
        at: When it was taken, epoch seconds, as the notice says.
        address: Of the picture: foreign, and called only where it is allowed.
    """

    account: str
    stream: str
    domain: str
    app: str
    at: float
    address: str

    @property
    def key(self) -> str:
        """What is the same in a repeat of this notice, and in no other."""
        return json.dumps(["snapshot", self.account, self.stream, self.address])


StreamKey: TypeAlias = tuple[str, str, str]
"""Name, domain and path of a stream."""


@dataclass(frozen=True, slots=True)
class KeptList:
    """What is live on an account by what callbacks have said since it was read last.

    Attributes:
        streams: Each with the seconds since the callback that told its begin; None for one that
            a read alone has found.
        is_believed: It was read a while ago at most, and callbacks have missed nothing of late.
    """

    streams: Mapping[StreamKey, float | None]
    is_believed: bool = False


@dataclass(frozen=True, slots=True)
class Watch:
    """A stream whose state is read from time to time, and whose changes are told in a thread.

    Attributes:
        operation: The stop whose stream it is, or the command that asked for the watch.
        since: When it began, epoch seconds.
        until: When it ends by itself, epoch seconds.
        state: The state that was told last: foreign text; empty before the first one.
        changes: How many states were told.
        heard: The last notice that no read has followed yet; None if there is none.
        heard_at: When that came, epoch seconds.
        asked: Somebody asked for it; else the bot watches by itself after a stop.
    """

    operation: Operation
    since: float
    until: float
    state: str = ""
    changes: int = 0
    heard: NoticeKind | None = None
    heard_at: float | None = None
    asked: bool = False


@dataclass(frozen=True, slots=True)
class WatchScope:
    """Which watches that people asked for are meant: of a stream in a channel.

    Attributes:
        key: Identifies the stream; see `effects.resource_key`.
        operation: Only the one that it asked for; empty for any.
    """

    account: str
    key: str
    channel: str
    operation: str = ""


@dataclass(frozen=True, slots=True)
class WatchBegin:
    """A watch that somebody asks for.

    Attributes:
        until: When it ends by itself, epoch seconds.
        state: The state at its beginning: foreign text; empty where it could not be read.
    """

    scope: WatchScope
    until: float
    state: str = ""


@dataclass(frozen=True, slots=True)
class WatchPlace:
    """What is watched already, for somebody who asks for one more.

    Attributes:
        same: Who watches the same stream in the same channel, and until when; None: nobody does.
        own: How many streams this person watches.
        total: How many are watched for people.
    """

    same: tuple[str, float] | None
    own: int
    total: int
