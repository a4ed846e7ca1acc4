"""The home tab: open and recent requests and permissions, updated while someone looks at it.

Source: https://docs.slack.dev/surfaces/app-home
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import structlog
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import DirectoryError, StoreError
from bot.model.people import Actor, Place
from bot.operations.service import Service
from handlers.messages import home_view
from handlers.slack.api_calls import CallError, call_or_raise
from handlers.slack.background import BackgroundQueue
from handlers.slack.payloads import text_at

log = structlog.get_logger("stopstream.home")

WATCHED_FOR = 600.0
"""Seconds for which someone who opened the tab is assumed to look at it."""

REFRESH_EVERY = 5.0
"""Seconds between two checks for changes; an unchanged view is not published."""

_MAX_WATCHED = 50
_FAILED = "Your roles could not be read (fault {fault}). Open this tab again in a moment."


def register(
    app: AsyncApp, *, service: Service, background: BackgroundQueue, client: AsyncWebClient
) -> None:
    """Register the opening of the home tab."""
    tabs = _HomeTabs(service, background, client)

    @app.event("app_home_opened")
    async def app_home_opened(body: dict[str, Any]) -> None:
        """Publish it, right after the ack."""
        actor = opener(body)
        if actor is not None:
            tabs.open(actor)


class _HomeTabs:
    """Publishes the tabs, and keeps those that someone looks at up to date."""

    def __init__(
        self, service: Service, background: BackgroundQueue, client: AsyncWebClient
    ) -> None:
        self._service = service
        self._background = background
        self._client = client
        self._published: dict[str, dict[str, Any]] = {}
        self._watching: dict[str, asyncio.Task[None]] = {}

    def open(self, actor: Actor) -> None:
        """Publish it now, and again when it changes."""

        async def publish() -> None:
            await self._publish(actor, await self._render(actor))
            self._watch(actor)

        async def on_failure(fault: str) -> None:
            problem = _FAILED.format(fault=fault)
            await self._publish(actor, home_view.home(None, [], trouble=problem))

        self._background.submit("draw the home tab", publish, on_failure)

    def _watch(self, actor: Actor) -> None:
        previous = self._watching.pop(actor.user, None)
        if previous is not None:
            previous.cancel()
        if len(self._watching) < _MAX_WATCHED:
            watch = self._background.spawn(f"home of {actor.user}", self._follow(actor))
            self._watching[actor.user] = watch

    async def _follow(self, actor: Actor) -> None:
        until = time.monotonic() + WATCHED_FOR
        while time.monotonic() < until:
            await asyncio.sleep(REFRESH_EVERY)
            try:
                view = await self._render(actor)
                if view != self._published.get(actor.user):
                    await self._publish(actor, view)
            except (CallError, DirectoryError, StoreError) as error:
                log.warning("a home tab is not drawn anew", user=actor.user, why=str(error))
        self._watching.pop(actor.user, None)
        self._published.pop(actor.user, None)

    async def _render(self, actor: Actor) -> dict[str, Any]:
        if (denied := await self._service.queries.outsider(actor)) is not None:
            return home_view.closed_home(denied.reason)
        permissions = await self._service.queries.permissions_everywhere(actor)
        mine, waiting = await self._service.queries.open_requests(actor)
        off = await self._service.queries.off_air(actor, Place(""), read_states=False)
        recent = await self._service.queries.recent(actor)
        return home_view.home(
            permissions, recent, mine, waiting, off, card=self._service.queries.card_link
        )

    async def _publish(self, actor: Actor, view: dict[str, Any]) -> None:
        await call_or_raise(self._client.views_publish(user_id=actor.user, view=view))
        self._published[actor.user] = view


def opener(body: Mapping[str, Any]) -> Actor | None:
    """Return who opened the home tab; None for the other tab."""
    event = body.get("event")
    user, team = text_at(event, "user"), text_at(body, "team_id")
    return Actor(team, user) if user and team and text_at(event, "tab") == "home" else None
