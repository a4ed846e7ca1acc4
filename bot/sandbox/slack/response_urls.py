"""The `response_url`s of the emulated Slack: five responses within half an hour.

Source: https://docs.slack.dev/interactivity/handling-user-interaction
"""

from aiohttp import web

from bot.sandbox.slack.state import WorkspaceState

_MOST_RESPONSES, _LIFETIME = 5, 1800.0


class ResponseUrls:
    """Takes the app's responses."""

    def __init__(self, state: WorkspaceState) -> None:
        self._state = state

    async def serve(self, request: web.Request) -> web.Response:
        """Answer one response."""
        state = self._state
        url = state.response_urls.get(request.match_info["token"])
        if state.faults.down:
            return web.Response(status=503)
        if url is None or state.clock() - url.created_at > _LIFETIME:
            return web.json_response({"ok": False, "error": "expired_url"}, status=404)
        if url.used >= _MOST_RESPONSES:
            return web.json_response({"ok": False, "error": "used_url"}, status=404)
        url.used += 1
        body = await request.json()
        if body.get("replace_original") and url.message is not None:
            url.message.text = body.get("text", "")
            url.message.blocks = body.get("blocks") or []
            url.message.edits += 1
            state.changed()
            return web.Response(text="ok")
        to = "" if body.get("response_type") == "in_channel" else url.user
        state.say(url.channel, state.bot_user, body.get("text", ""), body.get("blocks"), to=to)
        return web.Response(text="ok")
