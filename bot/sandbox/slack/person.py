"""A person in the emulated workspace: types, presses, fills in forms."""

from dataclasses import replace
from typing import Any

from bot.sandbox.slack.block_kit import option_problems
from bot.sandbox.slack.entities import Message, escaped
from bot.sandbox.slack.events import Ack
from bot.sandbox.slack.form_state import entry
from bot.sandbox.slack.state import WorkspaceState
from bot.sandbox.slack.submissions import INVALID, missing, take_answer


class Person:
    """Acts as one user of the workspace."""

    def __init__(self, slack: WorkspaceState, user: str) -> None:
        self._slack = slack
        self._user = user

    async def slash(self, command: str, text: str = "", channel: str = "C0INC") -> str:
        """Type a slash command, and return the immediate answer, which this person alone sees."""
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
        return self._show_ack(channel, await slack.delivery.deliver("command", payload))

    def _show_ack(self, channel: str, ack: Ack) -> str:
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
        """Write a message in mrkdwn; the bot gets an event if it is a member and mentioned."""
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
        """Open the app's home tab, and return its view once the app has published it."""
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
        """Use an element under a message.

        Args:
            element: With its `block_id`.
        """
        return await self._slack.delivery.deliver(
            "interaction", self._clicked(element, message, channel)
        )

    def press_payload(self, label: str, message: Message, channel: str = "C0INC") -> dict[str, Any]:
        """Return the payload of a press, to be delivered any number of times.

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
                **({"thread_ts": message.thread_ts} if message.thread_ts else {}),
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
        """Use a shortcut of the app: a global one, or one on a message.

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
        """Return the view of the form that is open for this person; wait until there is one."""
        slack = self._slack
        found: dict[str, Any] = await slack.wait_for(lambda: slack.modals.get(self._user))
        return found

    def fill(self, block_id: str, text: str) -> None:
        """Type a text into a field of the open form."""
        values = self._slack.modals[self._user]["state"]["values"]
        (action_id,) = values[block_id]
        values[block_id] = {action_id: entry("plain_text_input", text)}

    async def choose(self, action_id: str, value: str) -> Ack:
        """Choose an option in the open form.

        Args:
            action_id: May be cut at its colon.
        """
        view = self._slack.modals[self._user]
        block, element = _element(view, action_id)
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

    async def suggest(self, action_id: str, typed: str = "") -> Ack:
        """Open a menu of the form whose options the app knows, or type into it.

        Args:
            action_id: May be cut at its colon.
        """
        view = self._slack.modals[self._user]
        block, element = _element(view, action_id)
        if len(typed) < element.get("min_query_length", 3):
            return Ack({"options": []})
        payload = self._interaction("block_suggestion") | {
            "action_id": element["action_id"],
            "block_id": block["block_id"],
            "value": typed,
            "container": {"type": "view", "view_id": view["id"]},
            "view": view | {"app_id": "A0STOP", "team_id": self._slack.team},
        }
        del payload["trigger_id"]
        ack = await self._slack.delivery.deliver("suggestion", payload)
        return replace(ack, error=ack.error or (INVALID if option_problems(ack.body) else ""))

    async def pick(self, action_id: str, text: str, typed: str = "") -> None:
        """Pick an option with this text from a menu whose options the app knows.

        Raises:
            StopIteration: The app offers no such option.
        """
        options = (await self.suggest(action_id, typed)).body["options"]
        option = next(one for one in options if one["text"]["text"] == text)
        view = self._slack.modals[self._user]
        block, element = _element(view, action_id)
        chosen = {element["action_id"]: entry(element["type"], option)}
        view["state"]["values"][block["block_id"]] = chosen

    async def submit(self, values: dict[str, dict[str, Any]] | None = None) -> Ack:
        """Submit the open form, and do what the app answers; by default it closes.

        Args:
            values: The state of its fields; by default what was typed and chosen.
        """
        view = self._slack.modals[self._user]
        state = view["state"] if values is None else {"values": values}
        empty = missing(view, state["values"])
        if empty:
            return Ack({"response_action": "errors", "errors": empty})
        sent = {**view, "app_id": "A0STOP", "team_id": self._slack.team, "state": state}
        payload = self._interaction("view_submission") | {"view": sent, "response_urls": []}
        ack = await self._slack.delivery.deliver("interaction", payload)
        if ack.error or self._user not in self._slack.modals:
            return ack
        view["state"] = state
        return replace(ack, error=take_answer(self._slack, self._user, ack.body))


def _element(view: dict[str, Any], action_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the block and the element of a form with an `action_id`, or one up to its colon."""
    return next(
        (b, e)
        for b in view["blocks"]
        for e in (b.get("element"), b.get("accessory"), *(b.get("elements") or ()))
        if isinstance(e, dict)
        and action_id in (e.get("action_id"), str(e.get("action_id")).partition(":")[0])
    )
