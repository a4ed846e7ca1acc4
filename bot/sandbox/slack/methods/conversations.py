"""`conversations.*`: channels and their history.

Source: https://docs.slack.dev/reference/methods/conversations.history
"""

import base64
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from bot.sandbox.slack.entities import Channel, Message
from bot.sandbox.slack.methods.arguments import Arguments, Method, SlackError, find_channel
from bot.sandbox.slack.state import WorkspaceState

_DEFAULT_LIMIT, _LARGEST_LIMIT = 100, 999
_CURSOR = "next_ts:"


def _info(state: WorkspaceState, args: Arguments) -> Mapping[str, Any]:
    channel = find_channel(state, str(args.get("channel", "")))
    return {"channel": channel.info(state.bot_user)}


def _history(state: WorkspaceState, args: Arguments) -> Mapping[str, Any]:
    channel = _readable_channel(state, args)
    return _page(channel, channel.roots[::-1], args)


def _replies(state: WorkspaceState, args: Arguments) -> Mapping[str, Any]:
    channel = _readable_channel(state, args)
    root = channel.find(str(args.get("ts", "")))
    if root is None:
        raise SlackError("thread_not_found")
    return _page(channel, [root, *channel.thread(root.ts)], args, root_ts=root.ts)


def _readable_channel(state: WorkspaceState, args: Arguments) -> Channel:
    channel = find_channel(state, str(args.get("channel", "")))
    if state.bot_user not in channel.members:
        raise SlackError("not_in_channel")
    return channel


def _page(
    channel: Channel, messages: Sequence[Message], args: Arguments, *, root_ts: str = ""
) -> Mapping[str, Any]:
    """Return one page of messages; a thread's root is on it whatever its age."""
    oldest, latest = _timestamp(args, "oldest"), _timestamp(args, "latest")
    inclusive, limit = _flag(args, "inclusive"), _limit(args)

    def _wanted(message: Message) -> bool:
        ts = Decimal(message.ts)
        after = oldest is None or ts > oldest or (inclusive and ts == oldest)
        before = latest is None or ts < latest or (inclusive and ts == latest)
        return message.ts == root_ts or (after and before)

    found = [m for m in messages if _wanted(m)]
    start = _start(found, args)
    following = found[start + limit : start + limit + 1]
    with_metadata = _flag(args, "include_all_metadata")
    return {
        "messages": [
            m.data(metadata=with_metadata) | _thread(channel, m)
            for m in found[start : start + limit]
        ],
        "has_more": bool(following),
        "response_metadata": {"next_cursor": _cursor(following[0]) if following else ""},
    }


def _thread(channel: Channel, message: Message) -> dict[str, Any]:
    """Return what Slack says of the thread below a message."""
    replies = channel.thread(message.ts)
    return {"thread_ts": message.ts, "reply_count": len(replies)} if replies else {}


def _timestamp(args: Arguments, name: str) -> Decimal | None:
    """Return an end of the range; None if it is open."""
    given = str(args.get(name) or "")
    if not given:
        return None
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", given):
        raise SlackError(f"invalid_ts_{name}")
    return Decimal(given)


def _limit(args: Arguments) -> int:
    given = str(args.get("limit") or _DEFAULT_LIMIT)
    if not re.fullmatch(r"[0-9]{1,9}", given) or int(given) < 1:
        raise SlackError("invalid_limit")
    return min(int(given), _LARGEST_LIMIT)


def _flag(args: Arguments, name: str) -> bool:
    return str(args.get(name, "")).lower() in ("true", "1")


def _cursor(following: Message) -> str:
    """Return a cursor, which names the next message, as Slack's cursors do."""
    return base64.b64encode(f"{_CURSOR}{following.ts}".encode()).decode()


def _start(found: Sequence[Message], args: Arguments) -> int:
    """Return where the page begins: at the message that the cursor names."""
    cursor = str(args.get("cursor") or "")
    if not cursor:
        return 0
    starts = (n for n, message in enumerate(found) if _cursor(message) == cursor)
    start = next(starts, None)
    if start is None:
        raise SlackError("invalid_cursor")
    return start


METHODS: Mapping[str, Method] = {
    "conversations.info": _info,
    "conversations.history": _history,
    "conversations.replies": _replies,
}
