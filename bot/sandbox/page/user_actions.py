"""What a person can do in the page, in addition to `Person`."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bot.sandbox.slack.entities import Message, escaped
from bot.sandbox.slack.events import Ack
from bot.sandbox.slack.person import Person
from bot.sandbox.slack.submissions import close_view

_NAMED = re.compile(r"(?<!\S)([@#])([\w.-]*\w)")
_SELECTED = {
    "static_select": "selected_option",
    "conversations_select": "selected_conversation",
    "channels_select": "selected_channel",
    "users_select": "selected_user",
}


class GoneError(LookupError):
    """What was pressed or chosen does not exist any more."""


class UserActions(Person):
    """A person who uses the page."""

    async def type(self, text: str, channel: str, thread_ts: str = "") -> str:
        """Type a slash command or a message, and return the immediate answer."""
        if text.startswith("/") and not thread_ts:
            command, _, rest = text.partition(" ")
            return await self.slash(command, rest.strip(), channel)
        await self.write(self._marked_up(text), channel, thread_ts)
        return ""

    def _marked_up(self, text: str) -> str:
        """Return a text as Slack's composer sends it, with ids for people and channels."""
        slack = self._slack
        users = {user.name: f"<@{user.id}>" for user in slack.users.values()}
        channels = {one.name: f"<#{one.id}>" for one in slack.channels.values() if one.name}

        def known(found: re.Match[str]) -> str:
            return (users if found[1] == "@" else channels).get(found[2], found[0])

        return _NAMED.sub(known, escaped(text))

    async def press_under(self, message: Message, channel: str, action_id: str, value: str) -> Ack:
        """Press a button or choose an option under a message.

        Raises:
            GoneError: The message has no such element any more.
        """
        return await self.click(_action(message.blocks, action_id, value), message, channel)

    async def act(
        self, view: Mapping[str, Any], action_id: str, value: str, values: Mapping[str, Any]
    ) -> Ack:
        """Press a button or choose an option in a form or the home tab.

        Args:
            values: The state of the view's fields.

        Raises:
            GoneError: The view has no such element any more.
        """
        slack = self._slack
        view_id = str(view.get("id") or "V0HOME")
        payload = self._interaction("block_actions") | {
            "container": {"type": "view", "view_id": view_id},
            "view": {
                **view,
                "id": view_id,
                "app_id": "A0STOP",
                "team_id": slack.team,
                "state": {"values": dict(values)},
            },
            "actions": [
                _action(view["blocks"], action_id, value) | {"action_ts": slack.timestamps.ts()}
            ],
        }
        return await slack.delivery.deliver("interaction", payload)

    async def submit_form(self, values: dict[str, dict[str, Any]]) -> Ack:
        """Submit the open form."""
        slack = self._slack
        ack = await self.submit(values)
        slack.changed()
        return ack

    async def close_form(self) -> None:
        """Close the open form; the app gets an event if the view asks for one."""
        slack = self._slack
        view = close_view(slack, self._user)
        slack.changed()
        if view is not None and view.get("notify_on_close"):
            more = {"view": view | {"app_id": "A0STOP", "team_id": slack.team}}
            await slack.delivery.deliver("interaction", self._interaction("view_closed") | more)

    async def shortcut(self, callback_id: str, channel: str = "", ts: str = "") -> Ack:
        """Use a shortcut of the manifest: a global one, or one on a message.

        Raises:
            GoneError: There is no such message.
        """
        try:
            return await super().shortcut(callback_id, channel, ts)
        except KeyError:
            raise GoneError(ts) from None


def _action(blocks: list[Any], action_id: str, value: str) -> dict[str, Any]:
    """Return the payload of an action on an element.

    Raises:
        GoneError: There is no such element or option.
    """
    for block, element in _elements(blocks):
        if element.get("action_id") != action_id:
            continue
        found = {"block_id": block.get("block_id", ""), "action_id": action_id}
        kind = str(element.get("type"))
        if kind == "button" and str(element.get("value", "")) == value:
            kept = ("type", "text", "value", "style")
            return found | {name: element[name] for name in kept if name in element}
        if kind in ("static_select", "overflow", "radio_buttons"):
            for option in _options(element):
                if option.get("value") == value:
                    return found | {"type": kind, "selected_option": option}
        elif kind in _SELECTED:
            return found | {"type": kind, _SELECTED[kind]: value}
    raise GoneError(action_id)


def _elements(blocks: list[Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for block in blocks:
        inside = (block.get("element"), block.get("accessory"), *(block.get("elements") or ()))
        for element in inside:
            if isinstance(element, dict):
                yield block, element


def _options(element: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from element.get("options") or ()
    for group in element.get("option_groups") or ():
        yield from group["options"]
