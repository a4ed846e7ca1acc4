"""`conversations.*`: channels and their history.

Source: https://docs.slack.dev/reference/methods/conversations.history
"""

from collections.abc import Mapping, Sequence
from typing import Any

from bot.sandbox.slack.entities import Channel, Message
from bot.sandbox.slack.methods.arguments import Arguments, Method, SlackError, find_channel
from bot.sandbox.slack.state import WorkspaceState


def _info(state: WorkspaceState, args: Arguments) -> Mapping[str, Any]:
    channel = find_channel(state, str(args.get("channel", "")))
    return {"channel": channel.info(state.bot_user)}


def _history(state: WorkspaceState, args: Arguments) -> Mapping[str, Any]:
    return _page(_readable_channel(state, args).roots[::-1], args)


def _replies(state: WorkspaceState, args: Arguments) -> Mapping[str, Any]:
    channel = _readable_channel(state, args)
    root = channel.find(str(args.get("ts", "")))
    if root is None:
        raise SlackError("thread_not_found")
    return _page([root, *channel.thread(root.ts)], args, root_ts=root.ts)


def _readable_channel(state: WorkspaceState, args: Arguments) -> Channel:
    channel = find_channel(state, str(args.get("channel", "")))
    if state.bot_user not in channel.members:
        raise SlackError("not_in_channel")
    return channel


def _page(messages: Sequence[Message], args: Arguments, *, root_ts: str = "") -> Mapping[str, Any]:
    """Return one page of messages; a thread's root is on it whatever its age."""
    oldest = float(args.get("oldest") or 0)
    limit, start = int(args.get("limit") or 100), int(args.get("cursor") or 0)
    with_metadata = str(args.get("include_all_metadata", "")).lower() in ("true", "1")
    found = [m for m in messages if float(m.ts) > oldest or m.ts == root_ts]
    cursor = str(start + limit) if len(found) > start + limit else ""
    return {
        "messages": [m.data(metadata=with_metadata) for m in found[start : start + limit]],
        "has_more": bool(cursor),
        "response_metadata": {"next_cursor": cursor},
    }


METHODS: Mapping[str, Method] = {
    "conversations.info": _info,
    "conversations.history": _history,
    "conversations.replies": _replies,
}
