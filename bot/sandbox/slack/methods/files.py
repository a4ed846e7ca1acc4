"""`files.*`: uploads in two steps.

Source: https://docs.slack.dev/reference/methods/files.completeUploadExternal
"""

from collections.abc import Mapping
from typing import Any

from bot.sandbox.slack.entities import File
from bot.sandbox.slack.methods.arguments import (
    Arguments,
    Method,
    SlackError,
    parse_json,
    writable_channel,
)
from bot.sandbox.slack.state import WorkspaceState


def _get_upload_url(state: WorkspaceState, args: Arguments) -> Mapping[str, Any]:
    name, length = str(args.get("filename") or ""), int(args.get("length") or 0)
    if not name or length <= 0:
        raise SlackError("invalid_arguments")
    file = state.new_file(name, length)
    return {"upload_url": f"{state.url}/upload/{file.id}", "file_id": file.id}


def _complete_upload(state: WorkspaceState, args: Arguments) -> Mapping[str, Any]:
    channel = None
    if args.get("channel_id"):
        channel = writable_channel(state, str(args["channel_id"]))
    entries = parse_json(args.get("files")) or []
    if not entries:
        raise SlackError("invalid_arguments")
    files = [_file(state, entry) for entry in entries]
    for file in files:
        if len(file.content) != file.length:
            raise SlackError("file_update_failed")
        file.channel = channel.id if channel else ""
    if channel is not None:
        titles = ", ".join(str(entry.get("title") or "") for entry in entries)
        thread_ts = str(args.get("thread_ts") or "")
        message = state.say(channel.id, state.bot_user, f"(file) {titles}", thread_ts=thread_ts)
        message.files = tuple((file.id, file.name) for file in files)
    return {"files": [{"id": one["id"], "title": one.get("title", "")} for one in entries]}


def _file(state: WorkspaceState, entry: Mapping[str, Any]) -> File:
    file = state.files.get(str(entry.get("id")))
    if file is None:
        raise SlackError("file_not_found")
    return file


METHODS: Mapping[str, Method] = {
    "files.getUploadURLExternal": _get_upload_url,
    "files.completeUploadExternal": _complete_upload,
}
