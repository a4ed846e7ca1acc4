"""Slack's Web API as the bot uses it, with Slack's limits and errors.

Source: https://docs.slack.dev/reference/methods
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from bot.sandbox.slack.methods import chat, conversations, files, users, views
from bot.sandbox.slack.methods.arguments import Arguments, Method, SlackError
from bot.sandbox.slack.rate_limits import RateLimits
from bot.sandbox.slack.state import WorkspaceState

METHODS: Mapping[str, Method] = {
    **chat.METHODS,
    **conversations.METHODS,
    **files.METHODS,
    **users.METHODS,
    **views.METHODS,
}

SCOPES: Mapping[str, str] = {
    "chat.postMessage": "chat:write",
    "chat.postEphemeral": "chat:write",
    "chat.update": "chat:write",
    "chat.delete": "chat:write",
    "files.getUploadURLExternal": "files:write",
    "files.completeUploadExternal": "files:write",
    "users.info": "users:read",
    "users.list": "users:read",
    "usergroups.users.list": "usergroups:read",
}
"""What each method needs besides a token; conversations.* depends on the channel's kind."""

_CHANNEL_SCOPES = {"C": "channels", "G": "groups", "D": "im"}


class WebApi:
    """Answers the calls of the Web API.

    Args:
        limits: Whether rates are limited as Slack limits them.
    """

    def __init__(self, state: WorkspaceState, *, limits: bool = True) -> None:
        self._state = state
        self._rate_limits = RateLimits(state.clock) if limits else None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one call."""
        method, faults = request.match_info["method"], self._state.faults
        if faults.down:
            return web.Response(status=503, text="down")
        try:
            args = await _arguments(request)
        except ConnectionError:
            # The caller's process ended while it sent the request: nothing was asked.
            return web.Response(status=400)
        if faults.delay:
            await asyncio.sleep(faults.delay)
        self._state.calls.append((method, {k: v for k, v in args.items() if k != "token"}))
        if faults.limited(method):
            return _too_many_requests(faults.retry_after)
        wait = self._rate_limits.wait(method, args) if self._rate_limits else 0.0
        if wait:
            self._state.rate_limited += 1
            return _too_many_requests(wait)
        refusal = faults.refusal(method)
        body: Mapping[str, Any] = {}
        if refusal is None or refusal.done:
            body = self._answer(method, args)
        if refusal is not None:
            body = SlackError(refusal.code).body
        if body["ok"] and faults.loses(method) and request.transport is not None:
            request.transport.abort()
        headers = {"x-oauth-scopes": ",".join(sorted(self._state.scopes))}
        return web.json_response(body, headers=headers)

    def _answer(self, method: str, args: Arguments) -> Mapping[str, Any]:
        try:
            return {"ok": True, **self._run(method, args)}
        except SlackError as error:
            return error.body

    def _run(self, method: str, args: Arguments) -> Mapping[str, Any]:
        run = METHODS.get(method)
        if run is None:
            raise SlackError("unknown_method")
        self._check_token(method, str(args.get("token", "")))
        needed = SCOPES.get(method) or _conversation_scope(method, args)
        if needed and needed not in self._state.scopes:
            provided = ",".join(sorted(self._state.scopes))
            raise SlackError("missing_scope", needed=needed, provided=provided)
        return run(self._state, args)

    def _check_token(self, method: str, token: str) -> None:
        if not token:
            raise SlackError("not_authed")
        expected = self._state.bot_token
        if method == "apps.connections.open":
            expected = self._state.app_token
            if token == self._state.bot_token:
                raise SlackError("not_allowed_token_type")
        if token != expected:
            raise SlackError("invalid_auth")
        if self._state.faults.revoked:
            raise SlackError("token_revoked")


def _conversation_scope(method: str, args: Arguments) -> str:
    kind = _CHANNEL_SCOPES.get(str(args.get("channel", ""))[:1])
    if kind is None or not method.startswith("conversations."):
        return ""
    return f"{kind}:{'read' if method == 'conversations.info' else 'history'}"


async def _arguments(request: web.Request) -> dict[str, Any]:
    args: dict[str, Any] = {}
    if request.content_type == "application/json":
        raw = await request.text()
        args = json.loads(raw) if raw else {}
    else:
        args = dict(await request.post())
    args |= dict(request.query)
    header = request.headers.get("Authorization", "")
    if header.startswith("Bearer "):
        args["token"] = header.removeprefix("Bearer ")
    return args


def _too_many_requests(wait: float) -> web.Response:
    return web.json_response(
        {"ok": False, "error": "ratelimited"},
        status=429,
        headers={"Retry-After": str(max(1, round(wait + 0.5)))},
    )
