"""An emulated Slack workspace on loopback: its state, its weather, and the hands of its people."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from bot.sandbox.slack.entities import Channel, File, Message, Timestamps, User, escaped
from bot.sandbox.slack.events import Ack, EventDelivery
from bot.sandbox.slack.form_state import entry
from bot.sandbox.slack.web_api import WebApi

_REPLIES, _REPLY_FOR = 5, 1800.0


@dataclass(slots=True)
class Faults:
    """What may go wrong with Slack.

    Attributes:
        down: Every call is answered with HTTP 503.
        revoked: The token is refused.
        delay: Seconds that every call takes.
        retry_after: What a forced rate limit asks for.
    """

    down: bool = False
    revoked: bool = False
    delay: float = 0.0
    retry_after: float = 1.0
    limit_next: dict[str, int] = field(default_factory=dict[str, int])
    lose_next: dict[str, int] = field(default_factory=dict[str, int])

    def limited(self, method: str) -> bool:
        """Take one of the forced rate limits."""
        return _take(self.limit_next, method)

    def loses(self, method: str) -> bool:
        """Take one of the answers that are lost after the call was done."""
        return _take(self.lose_next, method)


def _take(counts: dict[str, int], name: str) -> bool:
    if counts.get(name, 0) <= 0:
        return False
    counts[name] -= 1
    return True


class Workspace:
    """One workspace with the app installed.

    Args:
        scopes: What the bot's token may do, as the manifest asks for.
        limits: Whether rates are limited as Slack limits them.
        clock: Epoch seconds.
    """

    def __init__(
        self,
        *,
        scopes: Collection[str],
        limits: bool = True,
        pace: float = 1.0,
        clock: Callable[[], float] = time.time,
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
        self.homes: dict[str, dict[str, Any]] = {}
        self.triggers: dict[str, tuple[str, float, bool]] = {}
        self.calls: deque[tuple[str, dict[str, Any]]] = deque(maxlen=100_000)
        self.rate_limited = 0
        """How many calls met one of Slack's own limits."""
        self.delivery = EventDelivery(self.signing_secret, clock=clock, pace=pace)
        self._replies: dict[str, tuple[str, str, float, int, Message | None]] = {}
        self._api = WebApi(self, limits=limits)
        self._news = asyncio.Event()
        self.listeners: list[Callable[[], None]] = []
        """Called at every change."""
        self._runner: web.AppRunner | None = None
        self.url = ""
        self.user(self.bot_user, "stopstream", is_bot=True)

    # --- making things ---------------------------------------------------------------

    def user(self, id_: str, name: str, *, team_id: str = "", **given: Any) -> User:
        """Add a person."""
        self.users[id_] = User(id_, name, team_id or self.team, **given)
        return self.users[id_]

    def channel(
        self, id_: str, name: str, *members: str, bot: bool = True, **given: Any
    ) -> Channel:
        """Add a channel; the bot is in it unless said otherwise."""
        inside = {*members, self.bot_user} if bot else set(members)
        self.channels[id_] = Channel(id_, name, inside, **given)
        return self.channels[id_]

    def direct(self, user: str) -> Channel:
        """Give the direct messages between a user and the bot."""
        id_ = f"D{user[1:]}"
        if id_ not in self.channels:
            self.channels[id_] = Channel(id_, "", {user, self.bot_user}, is_private=True)
        return self.channels[id_]

    def new_file(self, name: str, length: int) -> File:
        """Make room for a file that is about to be uploaded."""
        id_ = self.timestamps.id("F")
        self.files[id_] = File(id_, name, length)
        return self.files[id_]

    # --- its own life ------------------------------------------------------------------

    async def start(self, port: int = 0) -> str:
        """Listen on loopback; give the base of the Web API."""
        app = web.Application(client_max_size=4 * 1024 * 1024)
        app.router.add_post("/api/{method}", self._api.serve)
        app.router.add_get("/api/{method}", self._api.serve)
        app.router.add_get("/link", self.delivery.serve_socket)
        app.router.add_post("/reply/{token}", self._reply)
        app.router.add_post("/upload/{file}", self._upload)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.delivery.base = self.url
        return self.api_url

    @property
    def api_url(self) -> str:
        """The base of the Web API."""
        return f"{self.url}/api/"

    async def close(self) -> None:
        """Stop listening."""
        await self.delivery.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def changed(self) -> None:
        """Wake whoever waits for something to happen."""
        self._news.set()
        self._news = asyncio.Event()
        for listener in self.listeners:
            listener()

    async def wait_for(self, happened: Callable[[], Any], timeout: float = 10.0) -> Any:  # noqa: ASYNC109
        """Wait until something is so, and give it.

        Raises:
            TimeoutError: It never was.
        """
        async with asyncio.timeout(timeout):
            while not (found := happened()):
                await self._news.wait()
            return found

    async def _upload(self, request: web.Request) -> web.Response:
        file = self.files.get(request.match_info["file"])
        if file is None or self.faults.down:
            return web.Response(status=503 if file else 404)
        file.content = await request.read()
        return web.Response(text=f"OK - {len(file.content)}")

    # --- response_url ------------------------------------------------------------------

    def reply_url(self, user: str, channel: str, pressed: Message | None = None) -> str:
        """Make an address that takes five replies within half an hour.

        Args:
            pressed: The message that a reply may replace.
        """
        token = self.timestamps.id("R")
        self._replies[token] = (user, channel, self.clock(), 0, pressed)
        return f"{self.url}/reply/{token}"

    async def _reply(self, request: web.Request) -> web.Response:
        token = request.match_info["token"]
        found = self._replies.get(token)
        if self.faults.down:
            return web.Response(status=503)
        if found is None or self.clock() - found[2] > _REPLY_FOR:
            return web.json_response({"ok": False, "error": "expired_url"}, status=404)
        user, channel, at, used, pressed = found
        if used >= _REPLIES:
            return web.json_response({"ok": False, "error": "used_url"}, status=404)
        self._replies[token] = (user, channel, at, used + 1, pressed)
        body = await request.json()
        if body.get("replace_original") and pressed is not None:
            pressed.text, pressed.blocks = body.get("text", ""), body.get("blocks") or []
            pressed.edits += 1
            self.changed()
            return web.Response(text="ok")
        to = "" if body.get("response_type") == "in_channel" else user
        self.say(channel, self.bot_user, body.get("text", ""), body.get("blocks"), to=to)
        return web.Response(text="ok")

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
        """Put a message into a channel."""
        bot = self.bot_id if user == self.bot_user else ""
        message = Message(self.timestamps.ts(), user, text, blocks or [], thread_ts, {}, bot, to=to)
        self.channels[channel].messages.append(message)
        self.changed()
        return message

    def ephemerals(self, user: str) -> list[Message]:
        """Give what one user alone was shown, in order."""
        found = [m for c in self.channels.values() for m in c.messages if m.to == user]
        return sorted(found, key=lambda m: m.ts)

    def trigger(self, user: str) -> str:
        """Make a trigger."""
        trigger = self.timestamps.id("trigger.")
        self.triggers[trigger] = (user, self.clock(), False)
        return trigger

    def person(self, user: str) -> "Person":
        """Take someone's place."""
        return Person(self, user)


class Person:
    """What a person can do in the workspace."""

    def __init__(self, workspace: Workspace, user: str) -> None:
        self._slack = workspace
        self._user = user

    async def slash(self, command: str, text: str = "", channel: str = "C0INC") -> str:
        """Type a slash command; give what comes back at once, to this person alone."""
        slack, user = self._slack, self._slack.users[self._user]
        payload = {
            "token": "deprecated",
            "team_id": user.team_id,
            "team_domain": slack.domain,
            "channel_id": channel,
            "channel_name": slack.channels[channel].name,
            "user_id": user.id,
            "user_name": user.name,
            "command": command,
            "text": escaped(text),
            "api_app_id": "A0STOP",
            "is_enterprise_install": "false",
            "response_url": slack.reply_url(user.id, channel),
            "trigger_id": slack.trigger(user.id),
        }
        return self._show(channel, await slack.delivery.deliver("command", payload))

    def _show(self, channel: str, ack: Ack) -> str:
        text = str(ack.body.get("text", ""))
        if ack.error:
            text = f"The app failed with the error {ack.error}."
        if text:
            to = "" if ack.body.get("response_type") == "in_channel" else self._user
            blocks = ack.body.get("blocks")
            self._slack.say(channel, self._slack.bot_user, text, blocks, to=to)
        return text

    async def mention(self, text: str, channel: str = "C0INC", thread_ts: str = "") -> Message:
        """Write a message that mentions the bot."""
        return await self.write(f"<@{self._slack.bot_user}> {escaped(text)}", channel, thread_ts)

    async def write(self, written: str, channel: str = "C0INC", thread_ts: str = "") -> Message:
        """Write a message in Slack's markup; the bot hears of it if it is there and mentioned."""
        slack, user = self._slack, self._slack.users[self._user]
        message = slack.say(channel, user.id, written, thread_ts=thread_ts)
        bot = slack.bot_user
        if f"<@{bot}>" not in written or bot not in slack.channels[channel].members:
            return message
        event = {
            "type": "app_mention",
            "user": user.id,
            "team": user.team_id,
            "text": written,
            "ts": message.ts,
            "channel": channel,
            "event_ts": message.ts,
        }
        if thread_ts:
            event["thread_ts"] = thread_ts
        await slack.delivery.deliver_event(self._event(event))
        return message

    def _event(self, event: dict[str, Any]) -> dict[str, Any]:
        slack = self._slack
        return {
            "type": "event_callback",
            "token": "deprecated",
            "team_id": slack.team,
            "api_app_id": "A0STOP",
            "event": event,
            "event_id": slack.timestamps.id("Ev"),
            "event_time": int(slack.clock()),
            "authorizations": [{"team_id": slack.team, "user_id": slack.bot_user, "is_bot": True}],
        }

    async def open_home(self) -> dict[str, Any]:
        """Open the app's home tab; give it once it is there."""
        slack = self._slack
        slack.homes.pop(self._user, None)
        event = {
            "type": "app_home_opened",
            "user": self._user,
            "channel": slack.direct(self._user).id,
            "tab": "home",
            "event_ts": slack.timestamps.ts(),
        }
        await slack.delivery.deliver_event(self._event(event))
        found: dict[str, Any] = await slack.wait_for(lambda: slack.homes.get(self._user))
        return found

    async def press(self, label: str, message: Message, channel: str = "C0INC") -> Ack:
        """Press a button under a message.

        Raises:
            KeyError: There is no such button.
        """
        return await self.click(message.buttons()[label], message, channel)

    async def click(self, element: dict[str, Any], message: Message, channel: str) -> Ack:
        """Use an element under a message, as it is with its `block_id`."""
        return await self._slack.delivery.deliver(
            "interaction", self._clicked(element, message, channel)
        )

    def press_payload(self, label: str, message: Message, channel: str = "C0INC") -> dict[str, Any]:
        """Give what Slack would send for a press, which may be delivered more than once.

        Raises:
            KeyError: There is no such button.
        """
        return self._clicked(message.buttons()[label], message, channel)

    def _clicked(self, element: dict[str, Any], message: Message, channel: str) -> dict[str, Any]:
        slack = self._slack
        return self._interaction("block_actions") | {
            "channel": {"id": channel, "name": slack.channels[channel].name},
            "container": {
                "type": "message",
                "message_ts": message.ts,
                "channel_id": channel,
                "is_ephemeral": bool(message.to),
            },
            "message": message.data(metadata=True),
            "response_url": slack.reply_url(self._user, channel, message),
            "actions": [self._action(element)],
            "state": {"values": {}},
        }

    def _interaction(self, kind: str) -> dict[str, Any]:
        slack, user = self._slack, self._slack.users[self._user]
        return {
            "type": kind,
            "api_app_id": "A0STOP",
            "token": "deprecated",
            "team": {"id": slack.team, "domain": slack.domain},
            "user": {"id": user.id, "username": user.name, "team_id": user.team_id},
            "trigger_id": slack.trigger(user.id),
            "enterprise": None,
            "is_enterprise_install": False,
        }

    def _action(self, element: dict[str, Any]) -> dict[str, Any]:
        kept = ("type", "action_id", "block_id", "text", "value", "style", "selected_option")
        found = {name: element[name] for name in kept if name in element}
        return found | {"action_ts": self._slack.timestamps.ts()}

    async def shortcut(self, callback_id: str, channel: str = "", ts: str = "") -> Ack:
        """Use a shortcut of the app: on a message, or on nothing.

        Raises:
            KeyError: There is no such message.
        """
        slack = self._slack
        if not ts:
            payload = self._interaction("shortcut") | {"callback_id": callback_id}
            return await slack.delivery.deliver("interaction", payload)
        message = slack.channels[channel].find(ts)
        if message is None:
            raise KeyError(ts)
        payload = self._interaction("message_action") | {
            "callback_id": callback_id,
            "channel": {"id": channel, "name": slack.channels[channel].name},
            "message": message.data(metadata=True),
            "message_ts": ts,
            "response_url": slack.reply_url(self._user, channel),
        }
        return await slack.delivery.deliver("interaction", payload)

    async def modal(self) -> dict[str, Any]:
        """Wait for the form that opens for this person."""
        slack = self._slack
        found: dict[str, Any] = await slack.wait_for(lambda: slack.modals.get(self._user))
        return found

    def fill(self, block_id: str, text: str) -> None:
        """Put a text into a field of the open form."""
        values = self._slack.modals[self._user]["state"]["values"]
        (action_id,) = values[block_id]
        values[block_id] = {action_id: entry("plain_text_input", text)}

    async def choose(self, action_id: str, value: str) -> Ack:
        """Choose an option in the open form; what follows a colon in its name may be left out."""
        view = self._slack.modals[self._user]
        block, element = next(
            (b, e)
            for b in view["blocks"]
            for e in (b.get("element"), b.get("accessory"), *(b.get("elements") or ()))
            if isinstance(e, dict)
            and action_id in (e.get("action_id"), str(e.get("action_id")).partition(":")[0])
        )
        action_id = element["action_id"]
        groups = element.get("option_groups") or [{"options": element.get("options", ())}]
        option = next(o for g in groups for o in g["options"] if o["value"] == value)
        if block.get("type") == "input":
            chosen = {action_id: entry(element["type"], option)}
            view["state"]["values"][block["block_id"]] = chosen
        payload = self._interaction("block_actions") | {
            "container": {"type": "view", "view_id": view["id"]},
            "view": view | {"app_id": "A0STOP", "team_id": self._slack.team},
            "actions": [
                {
                    "type": element["type"],
                    "action_id": action_id,
                    "block_id": block.get("block_id", ""),
                    "selected_option": option,
                    "action_ts": self._slack.timestamps.ts(),
                }
            ],
        }
        return await self._slack.delivery.deliver("interaction", payload)

    async def submit(self, values: dict[str, dict[str, Any]] | None = None) -> Ack:
        """Send the open form off; it closes unless the app shows mistakes.

        Args:
            values: What its fields hold; left out: what was put into them.
        """
        view = self._slack.modals[self._user]
        payload = self._interaction("view_submission") | {
            "view": view
            | {
                "app_id": "A0STOP",
                "team_id": self._slack.team,
                "state": view["state"] if values is None else {"values": values},
            },
            "response_urls": [],
        }
        ack = await self._slack.delivery.deliver("interaction", payload)
        if not ack.error and ack.body.get("response_action") in (None, "clear"):
            self._slack.modals.pop(self._user, None)
        return ack
