"""The `response_url`s of the emulated Slack: five responses within half an hour.

Source: https://docs.slack.dev/interactivity/handling-user-interaction
"""

import json
from typing import Any

from aiohttp import web

from bot.sandbox.slack.faults import RESPONSE_URL
from bot.sandbox.slack.methods.arguments import SlackError, parse_blocks
from bot.sandbox.slack.state import ResponseUrl, WorkspaceState

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
        refusal = state.faults.refusal(RESPONSE_URL)
        try:
            if refusal is None or refusal.done:
                self._respond(url, await request.text())
        except SlackError as error:
            return _refused(error)
        if refusal is not None:
            return _refused(SlackError(refusal.code))
        return web.Response(text="ok")

    def _respond(self, url: ResponseUrl | None, raw: str) -> None:
        """Take one response.

        Raises:
            SlackError: The URL is used up, or Slack would refuse the message.
        """
        state = self._state
        if url is None or state.clock() - url.created_at > _LIFETIME:
            raise SlackError("expired_url")
        if url.used >= _MOST_RESPONSES:
            raise SlackError("used_url")
        url.used += 1
        body = _parse(raw)
        if body.get("delete_original"):
            self._delete(url)
            return
        text, blocks = str(body.get("text") or ""), parse_blocks(body)
        if not text and not blocks:
            raise SlackError("no_text")
        if body.get("replace_original") and url.message is not None:
            # A message stays ephemeral, or in the channel, whatever the response says.
            url.message.text, url.message.blocks = text, blocks
            url.message.edits += 1
            state.changed()
            return
        in_channel = body.get("response_type") == "in_channel"
        # Slack reads `thread_ts` in a response for the whole channel alone.
        thread_ts = str(body.get("thread_ts") or "") if in_channel else ""
        to = "" if in_channel else url.user
        state.say(url.channel, state.bot_user, text, blocks, thread_ts=thread_ts, to=to)

    def _delete(self, url: ResponseUrl) -> None:
        """Delete the message whose button was pressed; a person's own stays."""
        messages = self._state.channels[url.channel].messages
        if url.message is None or url.message.user != self._state.bot_user:
            raise SlackError("cant_delete_message")
        if url.message in messages:
            messages.remove(url.message)
            self._state.changed()


def _parse(raw: str) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise SlackError("invalid_payload")
    return body


def _refused(error: SlackError) -> web.Response:
    gone = error.body["error"] in ("expired_url", "used_url")
    return web.json_response(error.body, status=404 if gone else 400)
