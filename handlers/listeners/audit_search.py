"""The buttons under the results of an audit search: older ones, and all as a file."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.model.commands import Invocation
from bot.model.operations import Search
from bot.model.verdicts import Denied
from bot.operations.service import Service
from handlers.messages import search_results
from handlers.messages.blocks import Message
from handlers.slack.api_calls import send_file
from handlers.slack.background import BackgroundQueue
from handlers.slack.payloads import button_invocation, text_at
from handlers.slack.responder import BUSY, LOOK_UP_FAILED, Responder

_UNREADABLE = Message("This button could not be read. Write `/stopstream audit` again.")
_BEFORE_FILE = "What you asked for of the trail:"
_FILE_SENT = "The file is in your direct messages with me."


def register(
    app: AsyncApp,
    *,
    service: Service,
    responder: Responder,
    background: BackgroundQueue,
    client: AsyncWebClient,
) -> None:
    """Register the buttons."""
    results = _Results(service, responder, background, client)

    @app.action(re.compile(rf"{search_results.OLDER}|{search_results.PERSON}:\d"))
    async def older(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Show the next page, or the first one of a person, right after the ack."""
        await ack()
        results.show_older(
            button_invocation(body), search_results.decode_search(text_at(action, "value"))
        )

    @app.action(search_results.FILE)
    async def file(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Send the file, right after the ack."""
        await ack()
        results.send_file(
            button_invocation(body), search_results.decode_search(text_at(action, "value"))
        )


class _Results:
    """Shows more results, as far as the requester may see them by now."""

    def __init__(
        self,
        service: Service,
        responder: Responder,
        background: BackgroundQueue,
        client: AsyncWebClient,
    ) -> None:
        self._service = service
        self._responder = responder
        self._background = background
        self._client = client

    def show_older(self, invocation: Invocation | None, search: Search | None) -> None:
        """Show a page."""
        if invocation is None or search is None:
            self._reply_unreadable(invocation)
            return

        async def work() -> None:
            found = await self._service.queries.audit(
                invocation.actor, invocation.place, search, search_results.PAGE_MOST
            )
            await self._responder.send_ephemeral(invocation, search_results.search_reply(found))

        self._submit("an older page", invocation, work)

    def send_file(self, invocation: Invocation | None, search: Search | None) -> None:
        """Send every result as a file in a direct message, which only the requester sees."""
        if invocation is None or search is None:
            self._reply_unreadable(invocation)
            return

        async def work() -> None:
            found = await self._service.queries.export(
                invocation.actor, invocation.place, search, search_results.FILE_MOST
            )
            if isinstance(found, Denied):
                await self._responder.send_ephemeral(invocation, search_results.search_reply(found))
                return
            content = search_results.csv_file(found.operations).encode()
            user = invocation.actor.user
            await send_file(self._client, user, _BEFORE_FILE, "trail.csv", content)
            more = (
                f" It holds the newest {search_results.FILE_MOST}; there are more."
                if found.older
                else ""
            )
            await self._responder.send_ephemeral(invocation, Message(_FILE_SENT + more))

        self._submit("a file of the trail", invocation, work)

    def _submit(
        self, name: str, invocation: Invocation, work: Callable[[], Awaitable[None]]
    ) -> None:
        async def on_failure(fault: str) -> None:
            await self._responder.send_ephemeral(
                invocation, Message(LOOK_UP_FAILED.format(fault=fault))
            )

        if not self._background.submit(name, work, on_failure):
            self._responder.queue_ephemeral(invocation, BUSY)

    def _reply_unreadable(self, invocation: Invocation | None) -> None:
        if invocation is not None:
            self._responder.queue_ephemeral(invocation, _UNREADABLE)
