"""Slack's Web API as the bot uses it, with Slack's limits and errors.

Source: https://docs.slack.dev/reference/methods
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import web

from bot.sandbox.slack import block_kit as blockkit
from bot.sandbox.slack.entities import Channel, File, Message
from bot.sandbox.slack.form_state import entries

if TYPE_CHECKING:
    from bot.sandbox.slack.workspace import Workspace

_TRIGGER_FOR = 3.0
_METADATA_MOST = 8 * 1024  # often quoted; Slack documents no number
_KINDS = {"C": "channels", "G": "groups", "D": "im"}

SCOPES: Mapping[str, str] = {
    "chat.postMessage": "chat:write",
    "chat.postEphemeral": "chat:write",
    "chat.update": "chat:write",
    "chat.delete": "chat:write",
    "files.getUploadURLExternal": "files:write",
    "files.completeUploadExternal": "files:write",
    "users.info": "users:read",
    "usergroups.users.list": "usergroups:read",
}
"""What each method needs besides a token; conversations.* depends on the channel's kind."""

PER_MINUTE: Mapping[str, int] = {
    "chat.update": 50,
    "chat.postEphemeral": 100,
    "files.getUploadURLExternal": 100,
    "files.completeUploadExternal": 100,
    "users.info": 100,
    "usergroups.users.list": 20,
    "conversations.info": 50,
    "conversations.history": 50,
    "conversations.replies": 50,
    "views.open": 100,
    "views.update": 100,
    "views.publish": 100,
    "apps.connections.open": 50,
}
"""Slack's tiers; its bursts are not published, so a minute's worth may come at once."""

_BURST, _POSTS = 10, 1.0
"""chat.postMessage: one a second and channel, with a short burst."""


class SlackError(Exception):
    """A method answers `ok: false`."""

    def __init__(self, code: str, **more: Any) -> None:
        super().__init__(code)
        self.body: dict[str, Any] = {"ok": False, "error": code, **more}


class WebApi:
    """The methods, over a workspace's state.

    Args:
        limits: Whether rates are limited as Slack limits them.
    """

    def __init__(self, workspace: "Workspace", *, limits: bool = True) -> None:
        self._slack = workspace
        self._limits = limits
        self._calls: dict[str, deque[float]] = {}
        self._allowance: dict[str, tuple[float, float]] = {}
        self._methods: dict[str, Callable[[dict[str, Any]], Mapping[str, Any]]] = {
            "auth.test": self._auth_test,
            "chat.postMessage": self._post,
            "chat.postEphemeral": self._post_ephemeral,
            "chat.update": self._update,
            "chat.delete": self._delete,
            "chat.getPermalink": self._permalink,
            "conversations.info": self._info,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "files.getUploadURLExternal": self._upload_url,
            "files.completeUploadExternal": self._complete_upload,
            "users.info": self._users_info,
            "usergroups.users.list": self._group_users,
            "views.open": self._open,
            "views.update": self._view_update,
            "views.publish": self._publish,
            "apps.connections.open": self._connect,
        }

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one call."""
        method = request.match_info["method"]
        weather = self._slack.faults
        if weather.down:
            return web.Response(status=503, text="down")
        try:
            given = await _arguments(request)
        except ConnectionError:
            # The caller died while it spoke: nothing was asked.
            return web.Response(status=400)
        if weather.delay:
            await asyncio.sleep(weather.delay)
        self._slack.calls.append((method, {k: v for k, v in given.items() if k != "token"}))
        if weather.limited(method):
            return _limited(weather.retry_after)
        wait = self._wait(method, given) if self._limits else 0.0
        if wait:
            self._slack.rate_limited += 1
            return _limited(wait)
        try:
            body = {"ok": True, **self._run(method, given)}
        except SlackError as error:
            body = error.body
        if body["ok"] and weather.loses(method) and request.transport is not None:
            request.transport.abort()
        headers = {"x-oauth-scopes": ",".join(sorted(self._slack.scopes))}
        return web.json_response(body, headers=headers)

    def _run(self, method: str, given: dict[str, Any]) -> Mapping[str, Any]:
        work = self._methods.get(method)
        if work is None:
            raise SlackError("unknown_method")
        self._check_token(method, str(given.get("token", "")))
        needed = SCOPES.get(method) or self._conversation_scope(method, given)
        if needed and needed not in self._slack.scopes:
            provided = ",".join(sorted(self._slack.scopes))
            raise SlackError("missing_scope", needed=needed, provided=provided)
        return work(given)

    def _check_token(self, method: str, token: str) -> None:
        if not token:
            raise SlackError("not_authed")
        expected = self._slack.bot_token
        if method == "apps.connections.open":
            expected = self._slack.app_token
            if token == self._slack.bot_token:
                raise SlackError("not_allowed_token_type")
        if token != expected:
            raise SlackError("invalid_auth")
        if self._slack.faults.revoked:
            raise SlackError("token_revoked")

    def _conversation_scope(self, method: str, given: Mapping[str, Any]) -> str:
        kind = _KINDS.get(str(given.get("channel", ""))[:1])
        if kind is None or not method.startswith("conversations."):
            return ""
        return f"{kind}:{'read' if method == 'conversations.info' else 'history'}"

    def _wait(self, method: str, given: Mapping[str, Any]) -> float:
        """Give the seconds until this may be called again; 0 if it may now."""
        now = time.monotonic()
        if method == "chat.postMessage":
            channel = str(given.get("channel", ""))
            left, at = self._allowance.get(channel, (float(_BURST), now))
            left = min(float(_BURST), left + (now - at) * _POSTS)
            if left < 1.0:
                return (1.0 - left) / _POSTS
            self._allowance[channel] = (left - 1.0, now)
            return 0.0
        most = PER_MINUTE.get(method)
        if most is None:
            return 0.0
        calls = self._calls.setdefault(method, deque())
        while calls and calls[0] <= now - 60.0:
            calls.popleft()
        if len(calls) >= most:
            return 60.0 - (now - calls[0])
        calls.append(now)
        return 0.0

    # --- who ---------------------------------------------------------------------------

    def _auth_test(self, _given: dict[str, Any]) -> Mapping[str, Any]:
        slack = self._slack
        return {
            "url": f"https://{slack.domain}.slack.com/",
            "team": slack.domain,
            "user": "stopstream",
            "team_id": slack.team,
            "user_id": slack.bot_user,
            "bot_id": slack.bot_id,
        }

    def _users_info(self, given: dict[str, Any]) -> Mapping[str, Any]:
        user = self._slack.users.get(str(given.get("user", "")))
        if user is None:
            raise SlackError("user_not_found")
        return {"user": user.info()}

    def _group_users(self, given: dict[str, Any]) -> Mapping[str, Any]:
        if not self._slack.paid:
            raise SlackError("plan_upgrade_required")
        members = self._slack.groups.get(str(given.get("usergroup", "")))
        if members is None:
            raise SlackError("no_such_subteam")
        return {"users": sorted(members)}

    # --- channels ----------------------------------------------------------------------

    def _channel(self, given: Mapping[str, Any], *, to_write: bool = False) -> Channel:
        slack = self._slack
        id_ = str(given.get("channel", ""))
        if to_write and id_ in slack.users:
            return slack.direct(id_)
        channel = slack.channels.get(id_)
        inside = channel is not None and slack.bot_user in channel.members
        if channel is None or (channel.is_private and not inside):
            raise SlackError("channel_not_found")
        if to_write and channel.is_archived:
            raise SlackError("is_archived")
        if to_write and not inside:
            raise SlackError("not_in_channel")
        return channel

    def _info(self, given: dict[str, Any]) -> Mapping[str, Any]:
        return {"channel": self._channel(given).info(self._slack.bot_user)}

    def _history(self, given: dict[str, Any]) -> Mapping[str, Any]:
        return _page(self._readable(given).roots[::-1], given)

    def _replies(self, given: dict[str, Any]) -> Mapping[str, Any]:
        channel = self._readable(given)
        root = channel.find(str(given.get("ts", "")))
        if root is None:
            raise SlackError("thread_not_found")
        return _page([root, *channel.thread(root.ts)], given, always=root.ts)

    def _readable(self, given: dict[str, Any]) -> Channel:
        channel = self._channel(given)
        if self._slack.bot_user not in channel.members:
            raise SlackError("not_in_channel")
        return channel

    # --- messages ----------------------------------------------------------------------

    def _post(self, given: dict[str, Any]) -> Mapping[str, Any]:
        channel = self._channel(given, to_write=True)
        thread_ts = str(given.get("thread_ts") or "")
        if thread_ts and channel.find(thread_ts) is None:
            raise SlackError("cannot_reply_to_message")
        message = self._message(given, thread_ts)
        channel.messages.append(message)
        self._slack.changed()
        return {"channel": channel.id, "ts": message.ts, "message": message.data()}

    def _message(self, given: Mapping[str, Any], thread_ts: str = "", to: str = "") -> Message:
        blocks = _json(given.get("blocks")) or []
        text = str(given.get("text") or "")
        _check_blocks(blocks)
        if not text and not blocks:
            raise SlackError("no_text")
        metadata = _json(given.get("metadata")) or {}
        if len(json.dumps(metadata)) > _METADATA_MOST:
            raise SlackError("metadata_too_large")
        slack = self._slack
        return Message(
            slack.timestamps.ts(),
            slack.bot_user,
            text[:40_000],
            blocks,
            thread_ts,
            metadata,
            slack.bot_id,
            to=to,
        )

    def _post_ephemeral(self, given: dict[str, Any]) -> Mapping[str, Any]:
        channel = self._channel(given, to_write=True)
        user = str(given.get("user", ""))
        if user not in channel.members:
            raise SlackError("user_not_in_channel")
        thread_ts = str(given.get("thread_ts") or "")
        message = self._message(given, thread_ts, to=user)
        # Slack says yes and shows it to nobody where the thread has no reply yet.
        if not thread_ts or channel.thread(thread_ts):
            channel.messages.append(message)
        self._slack.changed()
        return {"message_ts": message.ts}

    def _update(self, given: dict[str, Any]) -> Mapping[str, Any]:
        channel = self._channel(given, to_write=True)
        message = channel.find(str(given.get("ts", "")))
        if message is None or message.to:
            raise SlackError("message_not_found")
        if message.user != self._slack.bot_user:
            raise SlackError("cant_update_message")
        text = str(given.get("text") or "")
        if len(text) > 4000:  # noqa: PLR2004 (Slack's limit)
            raise SlackError("msg_too_long")
        blocks = _json(given.get("blocks")) or []
        _check_blocks(blocks)
        message.text, message.blocks = text, blocks
        message.edits += 1
        if given.get("metadata") is not None:
            message.metadata = _json(given["metadata"])
        self._slack.changed()
        return {"channel": channel.id, "ts": message.ts, "text": text}

    def _delete(self, given: dict[str, Any]) -> Mapping[str, Any]:
        channel = self._channel(given, to_write=True)
        message = channel.find(str(given.get("ts", "")))
        if message is None:
            raise SlackError("message_not_found")
        channel.messages.remove(message)
        self._slack.changed()
        return {"channel": channel.id, "ts": message.ts}

    def _permalink(self, given: dict[str, Any]) -> Mapping[str, Any]:
        channel = self._channel(given)
        ts = str(given.get("message_ts", ""))
        if channel.find(ts) is None:
            raise SlackError("message_not_found")
        address = f"https://{self._slack.domain}.slack.com/archives/{channel.id}"
        return {"channel": channel.id, "permalink": f"{address}/p{ts.replace('.', '')}"}

    # --- files -------------------------------------------------------------------------

    def _upload_url(self, given: dict[str, Any]) -> Mapping[str, Any]:
        name, length = str(given.get("filename") or ""), int(given.get("length") or 0)
        if not name or length <= 0:
            raise SlackError("invalid_arguments")
        file = self._slack.new_file(name, length)
        return {"upload_url": f"{self._slack.url}/upload/{file.id}", "file_id": file.id}

    def _complete_upload(self, given: dict[str, Any]) -> Mapping[str, Any]:
        channel = None
        if given.get("channel_id"):
            channel = self._channel({"channel": given["channel_id"]}, to_write=True)
        thread_ts = str(given.get("thread_ts") or "")
        files = _json(given.get("files")) or []
        if not files:
            raise SlackError("invalid_arguments")
        for file in map(self._file, files):
            if len(file.content) != file.length:
                raise SlackError("file_update_failed")
            file.channel = channel.id if channel else ""
        if channel is not None:
            named = ", ".join(str(one.get("title") or "") for one in files)
            user = self._slack.bot_user
            said = self._slack.say(channel.id, user, f"(file) {named}", thread_ts=thread_ts)
            said.files = tuple((f.id, f.name) for f in map(self._file, files))
        return {"files": [{"id": one["id"], "title": one.get("title", "")} for one in files]}

    def _file(self, one: Mapping[str, Any]) -> File:
        file = self._slack.files.get(str(one.get("id")))
        if file is None:
            raise SlackError("file_not_found")
        return file

    # --- views -------------------------------------------------------------------------

    def _open(self, given: dict[str, Any]) -> Mapping[str, Any]:
        user = self._exchange(str(given.get("trigger_id", "")))
        view = self._view(given)
        view["id"] = self._slack.timestamps.id("V")
        self._slack.modals[user] = view
        self._slack.changed()
        return {"view": view}

    def _exchange(self, trigger: str) -> str:
        """Take a trigger: it is good once, for three seconds."""
        found = self._slack.triggers.get(trigger)
        if found is None:
            raise SlackError("invalid_trigger_id")
        user, at, used = found
        if used:
            raise SlackError("exchanged_trigger_id")
        if self._slack.clock() - at > _TRIGGER_FOR:
            raise SlackError("expired_trigger_id")
        self._slack.triggers[trigger] = (user, at, True)
        return user

    def _view(
        self, given: Mapping[str, Any], before: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        view = _json(given.get("view"))
        found = blockkit.view_problems(view)
        if found:
            raise SlackError("invalid_arguments", response_metadata={"messages": found})
        if len(json.dumps(view)) > 250_000:  # noqa: PLR2004 (Slack's limit)
            raise SlackError("view_too_large")
        kept = before["state"]["values"] if before else {}
        held = entries(view, kept)
        return {**view, "hash": self._slack.timestamps.ts(), "state": {"values": held}}

    def _view_update(self, given: dict[str, Any]) -> Mapping[str, Any]:
        for user, view in self._slack.modals.items():
            if view["id"] == given.get("view_id"):
                if given.get("hash") and given["hash"] != view["hash"]:
                    raise SlackError("hash_conflict")
                self._slack.modals[user] = {**self._view(given, view), "id": view["id"]}
                self._slack.changed()
                return {"view": self._slack.modals[user]}
        raise SlackError("not_found")

    def _publish(self, given: dict[str, Any]) -> Mapping[str, Any]:
        user = str(given.get("user_id", ""))
        if user not in self._slack.users:
            raise SlackError("user_not_found")
        self._slack.homes[user] = self._view(given)
        self._slack.changed()
        return {"view": self._slack.homes[user]}

    def _connect(self, _given: dict[str, Any]) -> Mapping[str, Any]:
        return {"url": self._slack.delivery.socket_url()}


async def _arguments(request: web.Request) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if request.content_type == "application/json":
        raw = await request.text()
        given = json.loads(raw) if raw else {}
    else:
        given = dict(await request.post())
    given |= dict(request.query)
    header = request.headers.get("Authorization", "")
    if header.startswith("Bearer "):
        given["token"] = header.removeprefix("Bearer ")
    return given


def _json(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            raise SlackError("invalid_arguments") from None
    return value


def _check_blocks(blocks: Any) -> None:
    found = blockkit.problems(blocks) if blocks else []
    if found:
        raise SlackError("invalid_blocks", response_metadata={"messages": found}, errors=found)


def _page(
    messages: list[Message], given: Mapping[str, Any], *, always: str = ""
) -> Mapping[str, Any]:
    oldest = float(given.get("oldest") or 0)
    limit, start = int(given.get("limit") or 100), int(given.get("cursor") or 0)
    with_metadata = str(given.get("include_all_metadata", "")).lower() in ("true", "1")
    found = [m for m in messages if float(m.ts) > oldest or m.ts == always]
    shown = found[start : start + limit]
    more = str(start + limit) if len(found) > start + limit else ""
    return {
        "messages": [m.data(metadata=with_metadata) for m in shown],
        "has_more": bool(more),
        "response_metadata": {"next_cursor": more},
    }


def _limited(wait: float) -> web.Response:
    return web.json_response(
        {"ok": False, "error": "ratelimited"},
        status=429,
        headers={"Retry-After": str(max(1, round(wait + 0.5)))},
    )
