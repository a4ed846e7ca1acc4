"""The buttons under a search of the trail: older ones, and all as a file.

Source: https://docs.slack.dev/messaging/working-with-files
"""

from collections.abc import Mapping
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.model.commands import Invocation, Via
from bot.model.operations import Search
from bot.model.verdicts import Denied
from bot.operations.service import Service
from handlers.messages import search_results
from handlers.messages.blocks import Message
from handlers.slack.api_calls import call_or_raise, upload
from handlers.slack.background import BackgroundQueue
from handlers.slack.payloads import actor_of, place_of, text_at
from handlers.slack.responder import BUSY, LOOK_UP_FAILED, Responder

_ODD = Message("This button could not be read. Write `/stopstream audit` again.")
_FILED = "The file is in your direct messages with me."


def register(
    app: AsyncApp,
    *,
    service: Service,
    answers: Responder,
    errands: BackgroundQueue,
    client: AsyncWebClient,
) -> None:
    """Take the presses."""
    history = _History(service, answers, errands, client)

    @app.action(search_results.OLDER)
    async def older(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Show the next page, right after the ack."""
        await ack()
        history.turn(asked(body), search_results.decode_search(text_at(action, "value")))

    @app.action(search_results.FILE)
    async def file(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Write the file, right after the ack."""
        await ack()
        history.write(asked(body), search_results.decode_search(text_at(action, "value")))


class _History:
    """Shows more of what was found, as far as whoever asks may see it by now."""

    def __init__(
        self, service: Service, answers: Responder, errands: BackgroundQueue, client: AsyncWebClient
    ) -> None:
        self._service = service
        self._answers = answers
        self._errands = errands
        self._client = client

    def turn(self, who: Invocation | None, wanted: Search | None) -> None:
        """Show a page."""
        if who is None or wanted is None:
            self._odd(who)
            return

        async def work() -> None:
            found = await self._service.queries.audit(
                who.actor, who.place, wanted, search_results.PAGE_MOST
            )
            await self._answers.whisper(who, search_results.search_reply(found))

        self._take("an older page", who, work)

    def write(self, who: Invocation | None, wanted: Search | None) -> None:
        """Put everything that was found into a file, in direct messages: only who asked sees it."""
        if who is None or wanted is None:
            self._odd(who)
            return

        async def work() -> None:
            found = await self._service.queries.export(
                who.actor, who.place, wanted, search_results.FILE_MOST
            )
            if isinstance(found, Denied):
                await self._answers.whisper(who, search_results.search_reply(found))
                return
            await self._send(who.actor.user, search_results.csv_file(found.operations).encode())
            more = (
                f" It holds the newest {search_results.FILE_MOST}; there are more."
                if found.older
                else ""
            )
            await self._answers.whisper(who, Message(_FILED + more))

        self._take("a file of the trail", who, work)

    async def _send(self, user: str, content: bytes) -> None:
        told = await call_or_raise(
            self._client.chat_postMessage(channel=user, text="What you asked for of the trail:")
        )
        place = await call_or_raise(
            self._client.files_getUploadURLExternal(filename="trail.csv", length=len(content))
        )
        await upload(self._client, text_at(place.data, "upload_url"), content)
        await call_or_raise(
            self._client.files_completeUploadExternal(
                files=[{"id": text_at(place.data, "file_id"), "title": "trail.csv"}],
                channel_id=text_at(told.data, "channel"),
                thread_ts=text_at(told.data, "ts"),
            )
        )

    def _take(self, name: str, who: Invocation, work: Any) -> None:
        async def sorry(fault: str) -> None:
            await self._answers.whisper(who, Message(LOOK_UP_FAILED.format(fault=fault)))

        if not self._errands.take(name, work, sorry):
            self._answers.tell(who, BUSY)

    def _odd(self, who: Invocation | None) -> None:
        if who is not None:
            self._answers.tell(who, _ODD)


def asked(body: Mapping[str, Any]) -> Invocation | None:
    """Say who pressed and where; None if Slack did not."""
    key, actor = text_at(body, "trigger_id"), actor_of(body)
    return Invocation(key, actor, place_of(body), "", Via.BUTTON, None) if actor else None
