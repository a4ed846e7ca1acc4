"""What the families of methods share: their arguments, their errors, and access to channels."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from bot.sandbox.slack import block_kit
from bot.sandbox.slack.entities import Channel
from bot.sandbox.slack.state import WorkspaceState

Arguments = Mapping[str, Any]
Method = Callable[[WorkspaceState, Arguments], Mapping[str, Any]]


class SlackError(Exception):
    """A method answers `ok: false`."""

    def __init__(self, code: str, **more: Any) -> None:
        super().__init__(code)
        self.body: dict[str, Any] = {"ok": False, "error": code, **more}


def parse_json(value: Any, code: str = "invalid_arguments") -> Any:
    """Return an argument that may be JSON text as what it describes.

    Args:
        code: What Slack answers where it is a text but not JSON.

    Raises:
        SlackError: It is a text but not JSON.
    """
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            raise SlackError(code) from None
    return value


def parse_blocks(args: Arguments) -> list[Any]:
    """Return the blocks of a message.

    Raises:
        SlackError: Slack would refuse them.
    """
    blocks = parse_json(args.get("blocks"), "invalid_blocks_format") or []
    if not isinstance(blocks, list):
        raise SlackError("invalid_blocks_format")
    problems = block_kit.problems(blocks) if blocks else []
    if problems:
        raise SlackError("invalid_blocks", response_metadata=messages(problems), errors=problems)
    return list(blocks)


def messages(problems: list[str]) -> dict[str, list[str]]:
    """Return problems as `response_metadata` has them."""
    return {"messages": [f"[ERROR] {problem}" for problem in problems]}


def find_channel(state: WorkspaceState, id_: str) -> Channel:
    """Return a channel that the bot can see.

    Raises:
        SlackError: There is none, or it is private and the bot is not a member.
    """
    channel = state.channels.get(id_)
    if channel is None or (channel.is_private and state.bot_user not in channel.members):
        raise SlackError("channel_not_found")
    return channel


def writable_channel(state: WorkspaceState, id_: str) -> Channel:
    """Return a channel that the bot can write to; a user's id stands for their direct messages.

    Raises:
        SlackError: It cannot be seen, is archived, or the bot is not a member.
    """
    if id_ in state.users:
        return state.direct(id_)
    channel = find_channel(state, id_)
    if channel.is_archived:
        raise SlackError("is_archived")
    if state.bot_user not in channel.members:
        raise SlackError("not_in_channel")
    return channel
