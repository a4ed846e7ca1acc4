"""`chat.*`: messages.

Source: https://docs.slack.dev/reference/methods/chat.postMessage
"""

import json
from collections.abc import Mapping
from typing import Any

from bot.sandbox.slack.entities import Message
from bot.sandbox.slack.methods.arguments import (
    Arguments,
    Method,
    SlackError,
    find_channel,
    parse_blocks,
    parse_json,
    writable_channel,
)
from bot.sandbox.slack.state import WorkspaceState

_LARGEST_METADATA = 8 * 1024  # often quoted; Slack documents no number
_LONGEST_POST, _LONGEST_UPDATE = 40_000, 4000


def _post_message(state: WorkspaceState, args: Arguments) -> Mapping[str, Any]:
    channel = writable_channel(state, str(args.get("channel", "")))
    thread_ts = str(args.get("thread_ts") or "")
    if thread_ts and channel.find(thread_ts) is None:
        raise SlackError("cannot_reply_to_message")
    message = _message(state, args, thread_ts)
    channel.messages.append(message)
    state.changed()
    return {"channel": channel.id, "ts": message.ts, "message": message.data()}


def _message(state: WorkspaceState, args: Arguments, thread_ts: str = "", to: str = "") -> Message:
    blocks = parse_blocks(args)
    text = str(args.get("text") or "")
    if not text and not blocks:
        raise SlackError("no_text")
    return Message(
        state.timestamps.ts(),
        state.bot_user,
        text[:_LONGEST_POST],
        blocks,
        thread_ts,
        _metadata(args),
        state.bot_id,
        to=to,
    )


def _metadata(args: Arguments) -> dict[str, Any]:
    """Return the metadata of a message, which is empty or has a type and a payload."""
    metadata = parse_json(args.get("metadata")) or {}
    if not isinstance(metadata, dict):
        raise SlackError("invalid_metadata_format")
    kind, payload = metadata.get("event_type"), metadata.get("event_payload")
    if metadata and not (isinstance(kind, str) and kind and isinstance(payload, dict)):
        raise SlackError("invalid_metadata_schema")
    if len(json.dumps(metadata)) > _LARGEST_METADATA:
        raise SlackError("metadata_too_large")
    return metadata


def _post_ephemeral(state: WorkspaceState, args: Arguments) -> Mapping[str, Any]:
    channel = writable_channel(state, str(args.get("channel", "")))
    user = str(args.get("user", ""))
    if user not in channel.members:
        raise SlackError("user_not_in_channel")
    thread_ts = str(args.get("thread_ts") or "")
    message = _message(state, args, thread_ts, to=user)
    # Slack answers ok, but shows it to nobody where the thread has no reply yet.
    if not thread_ts or channel.thread(thread_ts):
        channel.messages.append(message)
    state.changed()
    return {"message_ts": message.ts}


def _update(state: WorkspaceState, args: Arguments) -> Mapping[str, Any]:
    channel = writable_channel(state, str(args.get("channel", "")))
    message = channel.find(str(args.get("ts", "")))
    if message is None or message.to:
        raise SlackError("message_not_found")
    if message.user != state.bot_user:
        raise SlackError("cant_update_message")
    text, blocks = str(args.get("text") or ""), parse_blocks(args)
    if not text and not blocks:
        raise SlackError("no_text")
    if len(text) > _LONGEST_UPDATE:
        raise SlackError("msg_too_long")
    if args.get("metadata") is not None:
        message.metadata = _metadata(args)
    message.text, message.blocks = text, blocks
    message.edits += 1
    message.edited = state.timestamps.ts()
    state.changed()
    return {"channel": channel.id, "ts": message.ts, "text": text}


def _delete(state: WorkspaceState, args: Arguments) -> Mapping[str, Any]:
    channel = writable_channel(state, str(args.get("channel", "")))
    message = channel.find(str(args.get("ts", "")))
    if message is None or message.to:
        raise SlackError("message_not_found")
    if message.user != state.bot_user:
        raise SlackError("cant_delete_message")
    channel.messages.remove(message)
    state.changed()
    return {"channel": channel.id, "ts": message.ts}


def _get_permalink(state: WorkspaceState, args: Arguments) -> Mapping[str, Any]:
    channel = find_channel(state, str(args.get("channel", "")))
    ts = str(args.get("message_ts", ""))
    if channel.find(ts) is None:
        raise SlackError("message_not_found")
    address = f"https://{state.domain}.slack.com/archives/{channel.id}"
    return {"channel": channel.id, "permalink": f"{address}/p{ts.replace('.', '')}"}


METHODS: Mapping[str, Method] = {
    "chat.postMessage": _post_message,
    "chat.postEphemeral": _post_ephemeral,
    "chat.update": _update,
    "chat.delete": _delete,
    "chat.getPermalink": _get_permalink,
}
