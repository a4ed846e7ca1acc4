"""The state of an emulated workspace, shared by its Web API, its events and its people."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from bot.sandbox.slack.entities import Channel, File, Message, Timestamps, User
from bot.sandbox.slack.events import EventDelivery
from bot.sandbox.slack.faults import Faults


@dataclass(slots=True)
class ResponseUrl:
    """A `response_url` that was handed to the app.

    Attributes:
        created_at: Epoch seconds.
        message: The message that a response may replace.
        used: How many responses it has taken.
    """

    user: str
    channel: str
    created_at: float
    message: Message | None = None
    used: int = 0


class WorkspaceState:
    """Everything that a workspace with the app installed contains.

    Args:
        scopes: What the bot's token may do, as the manifest asks for.
        pace: Multiplies the waits between an event's retries.
        clock: Epoch seconds.

    Attributes:
        calls: The calls of the Web API, oldest first, without their tokens.
        modals, beneath: The form that each person sees, and those under it.
        rate_limited: How many calls met one of Slack's own limits.
        listeners: Called at every change.
        url: Where the workspace listens, once it does.
    """

    def __init__(
        self, *, scopes: Collection[str], pace: float = 1.0, clock: Callable[[], float] = time.time
    ) -> None:
        self.team, self.domain = "T0HOME", "sandbox"
        self.bot_user, self.bot_id = "U0STOPBOT", "B0STOPBOT"
        self.bot_token, self.app_token = "xoxb-sandbox", "xapp-sandbox"
        self.signing_secret = "sandbox-signing-secret"  # noqa: S105 (the emulator's own)
        self.scopes = set(scopes)
        self.paid = True
        self.clock = clock
        self.timestamps = Timestamps(clock)
        self.faults = Faults()
        self.users: dict[str, User] = {}
        self.groups: dict[str, set[str]] = {}
        self.channels: dict[str, Channel] = {}
        self.files: dict[str, File] = {}
        self.modals: dict[str, dict[str, Any]] = {}
        self.beneath: dict[str, list[dict[str, Any]]] = {}
        self.homes: dict[str, dict[str, Any]] = {}
        self.triggers: dict[str, tuple[str, float, bool]] = {}
        self.response_urls: dict[str, ResponseUrl] = {}
        self.calls: deque[tuple[str, dict[str, Any]]] = deque(maxlen=100_000)
        self.rate_limited = 0
        self.delivery = EventDelivery(self.signing_secret, clock=clock, pace=pace)
        self.listeners: list[Callable[[], None]] = []
        self.url = ""
        self._change = asyncio.Event()
        self.user(self.bot_user, "stopstream", is_bot=True)

    def user(self, id_: str, name: str, *, team_id: str = "", **given: Any) -> User:
        """Add a person."""
        self.users[id_] = User(id_, name, team_id or self.team, **given)
        return self.users[id_]

    def channel(
        self, id_: str, name: str, *members: str, bot: bool = True, **given: Any
    ) -> Channel:
        """Add a channel; the bot is a member unless `bot` is false."""
        inside = {*members, self.bot_user} if bot else set(members)
        self.channels[id_] = Channel(id_, name, inside, **given)
        return self.channels[id_]

    def direct(self, user: str) -> Channel:
        """Return the direct messages between a user and the bot."""
        id_ = f"D{user[1:]}"
        if id_ not in self.channels:
            self.channels[id_] = Channel(id_, "", {user, self.bot_user}, is_private=True)
        return self.channels[id_]

    def new_file(self, name: str, length: int) -> File:
        """Add a file that is about to be uploaded."""
        id_ = self.timestamps.id("F")
        self.files[id_] = File(id_, name, length)
        return self.files[id_]

    def trigger(self, user: str) -> str:
        """Return a new `trigger_id`."""
        trigger = self.timestamps.id("trigger.")
        self.triggers[trigger] = (user, self.clock(), False)
        return trigger

    def reply_url(self, user: str, channel: str, message: Message | None = None) -> str:
        """Return a new `response_url`.

        Args:
            message: The message that a response may replace.
        """
        token = self.timestamps.id("R")
        self.response_urls[token] = ResponseUrl(user, channel, self.clock(), message)
        return f"{self.url}/reply/{token}"

    def say(
        self,
        channel: str,
        user: str,
        text: str,
        blocks: list[Any] | None = None,
        *,
        thread_ts: str = "",
        to: str = "",
    ) -> Message:
        """Add a message to a channel."""
        bot = self.bot_id if user == self.bot_user else ""
        message = Message(self.timestamps.ts(), user, text, blocks or [], thread_ts, {}, bot, to=to)
        self.channels[channel].messages.append(message)
        self.changed()
        return message

    def ephemerals(self, user: str) -> list[Message]:
        """Return the messages that one user alone can see, in order."""
        found = [m for c in self.channels.values() for m in c.messages if m.to == user]
        return sorted(found, key=lambda m: m.ts)

    def changed(self) -> None:
        """Wake everything that waits for a change."""
        self._change.set()
        self._change = asyncio.Event()
        for listener in self.listeners:
            listener()

    async def wait_for(self, happened: Callable[[], Any], timeout: float = 60.0) -> Any:  # noqa: ASYNC109
        """Wait until a condition is true, and return its value.

        Raises:
            TimeoutError: It never was.
        """
        async with asyncio.timeout(timeout):
            while not (found := happened()):
                await self._change.wait()
            return found
