"""What the page can ask for, a method per call: messages, forms, faults, the bot, the policy."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from bot.sandbox.page.alerts import send_alert
from bot.sandbox.page.call_body import CallBody, RefusedError
from bot.sandbox.page.snapshot import Snapshot
from bot.sandbox.page.user_actions import GoneError, UserActions
from bot.sandbox.slack.events import Ack

_RESTART_AFTER = 2.0
"""Seconds between a kill and the new start."""

_FAILED = "We had some trouble connecting. Try again? ({})"

Call = Callable[[CallBody], Awaitable[dict[str, Any]]]


class Calls:
    """Runs the page's calls.

    Args:
        snapshot: What the calls act upon.
        exits: Cancels what a call has left running.
        secret: Of the alerts that the page sends to the bot.
    """

    def __init__(
        self, snapshot: Snapshot, exits: contextlib.AsyncExitStack, secret: str = ""
    ) -> None:
        self._secret = secret
        self._snapshot = snapshot
        self._slack = snapshot.slack
        self._cloud = snapshot.cloud
        self._bot = snapshot.bot
        self._exits = exits
        self._by_name: Mapping[str, Call] = {
            "type": self._type,
            "press": self._press,
            "act": self._act,
            "suggest": self._suggest,
            "submit": self._submit,
            "close": self._close,
            "home": self._home,
            "shortcut": self._shortcut,
            "thing": self._change_resource,
            "weather/slack": self._set_slack_faults,
            "weather/cloud": self._set_cloud_faults,
            "weather/clock": self._set_cloud_clock,
            "weather/clear": self._clear,
            "bot": self._control_bot,
            "policy/save": self._save,
            "policy/check": self._check,
            "policy/explain": self._explain,
        }

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    async def run(self, name: str, body: CallBody) -> dict[str, Any]:
        """Run a call, and return its answer.

        Raises:
            KeyError: There is no such call.
            RefusedError: The body makes no sense.
            GoneError: What the call is about does not exist any more.
        """
        return await self._by_name[name](body)

    def _person(self, body: CallBody) -> UserActions:
        user = body.text("as")
        if user not in self._slack.users:
            raise RefusedError("as: there is no such person")
        return UserActions(self._slack, user)

    def _place(self, body: CallBody) -> str:
        """Return the channel, if this person is a member."""
        channel = body.text("channel")
        found = self._slack.channels.get(channel)
        if found is None or body.text("as") not in found.members:
            raise RefusedError("channel: this person is not in it")
        return channel

    async def _type(self, body: CallBody) -> dict[str, Any]:
        person, channel = self._person(body), self._place(body)
        text = body.text("text").strip()
        if not text:
            raise RefusedError("text: is empty")
        return {"said": await person.type(text, channel, body.text("thread_ts", ""))}

    async def _press(self, body: CallBody) -> dict[str, Any]:
        person, channel = self._person(body), self._place(body)
        message = self._slack.channels[channel].find(body.text("ts"))
        if message is None or message.to not in ("", body.text("as")):
            raise GoneError
        action_id, value = body.text("action_id"), body.text("value", "")
        return _answer(await person.press_under(message, channel, action_id, value))

    async def _act(self, body: CallBody) -> dict[str, Any]:
        person, user = self._person(body), body.text("as")
        views = self._slack.homes if body.text("view") == "home" else self._slack.modals
        if user not in views:
            raise GoneError
        action_id, value = body.text("action_id"), body.text("value", "")
        return _answer(await person.act(views[user], action_id, value, body.values()))

    async def _suggest(self, body: CallBody) -> dict[str, Any]:
        """Return what a menu offers whose options the app knows."""
        person = self._person(body)
        if body.text("as") not in self._slack.modals:
            raise GoneError
        try:
            ack = await person.suggest(body.text("action_id"), body.text("value", ""))
        except StopIteration:
            raise GoneError from None
        return _answer(ack) | {"options": [] if ack.error else ack.body.get("options", [])}

    async def _submit(self, body: CallBody) -> dict[str, Any]:
        person = self._person(body)
        if body.text("as") not in self._slack.modals:
            raise GoneError
        ack = await person.submit_form(body.values())
        return _answer(ack) | {"errors": ack.body.get("errors") or {}}

    async def _close(self, body: CallBody) -> dict[str, Any]:
        await self._person(body).close_form()
        return {}

    async def _home(self, body: CallBody) -> dict[str, Any]:
        try:
            await self._person(body).open_home()
        except TimeoutError:
            return {"trouble": "The app did not draw its home tab."}
        return {}

    async def _shortcut(self, body: CallBody) -> dict[str, Any]:
        person, ts = self._person(body), body.text("ts", "")
        channel = self._place(body) if ts else ""
        return _answer(await person.shortcut(body.text("callback_id"), channel, ts))

    async def _change_resource(self, body: CallBody) -> dict[str, Any]:
        """Start a resource again, or set whether it comes back by itself."""
        resources, kind, key = self._cloud.resources, body.text("kind"), body.key()
        resource = resources.get(kind, *key)
        if resource is None:
            raise RefusedError("key: there is no such thing")
        match body.text("do"):
            case "start":
                now = self._cloud.now
                resources.put(kind, *key, returns_after=resource.returns_after, since=now)
            case "come-back":
                resource.returns_after = 2.0
            case "stay-away":
                resource.returns_after = resource.returns_at = None
            case "flag" if not self._cloud.callbacks.url:
                return {"trouble": "The bot is not running: nobody takes the callback."}
            case "flag":
                self._cloud.flag(*map(str, key))
            case "alert":
                stream, domain = str(key[0]), str(key[1])
                return {"trouble": await send_alert(self._bot.url, self._secret, stream, domain)}
            case _:
                raise RefusedError("do: is start, come-back, stay-away, flag or alert")
        return {}

    async def _set_slack_faults(self, body: CallBody) -> dict[str, Any]:
        self._snapshot.faults.set_slack(
            down=body.flag("down"),
            delay=body.number("delay"),
            limited=int(body.number("limited")),
        )
        return {}

    async def _set_cloud_faults(self, body: CallBody) -> dict[str, Any]:
        fault, code = body.text("fault", ""), body.text("code", "")
        try:
            self._snapshot.faults.set_cloud(fault, code, times=int(body.number("times")))
        except KeyError:
            raise RefusedError("fault: there is no such one") from None
        return {}

    async def _set_cloud_clock(self, body: CallBody) -> dict[str, Any]:
        self._snapshot.faults.set_clock_skew(body.number("seconds"))
        return {}

    async def _clear(self, _body: CallBody) -> dict[str, Any]:
        self._snapshot.faults.clear()
        return {}

    async def _control_bot(self, body: CallBody) -> dict[str, Any]:
        match body.text("do"):
            case "kill":
                await self._bot.kill()
            case "start":
                await self._bot.start()
            case "restart":
                await self._bot.kill()
                again = asyncio.create_task(self._start_again(), name="start the bot again")
                self._exits.callback(again.cancel)
            case _:
                raise RefusedError("do: is kill, start or restart")
        return {}

    async def _start_again(self) -> None:
        """Start the bot after a delay, so that the page shows that it is down."""
        await asyncio.sleep(_RESTART_AFTER)
        await self._bot.start()

    async def _save(self, body: CallBody) -> dict[str, Any]:
        broken_too = body.flag("broken_too")
        problems = self._snapshot.policy.save(body.text("text"), broken_too=broken_too)
        return {"problems": problems, "saved": broken_too or not problems}

    async def _check(self, body: CallBody) -> dict[str, Any]:
        return {"problems": self._snapshot.policy.problems(body.text("text"))}

    async def _explain(self, body: CallBody) -> dict[str, Any]:
        user = body.text("user")
        if user not in self._slack.users:
            raise RefusedError("user: there is no such person")
        text, channel, words = body.text("text"), body.text("channel"), body.text("words")
        return self._snapshot.policy.explain(text, user, channel, words)


def _answer(ack: Ack) -> dict[str, Any]:
    return {"trouble": _FAILED.format(ack.error)} if ack.error else {}
