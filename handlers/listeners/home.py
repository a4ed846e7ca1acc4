"""The home tab: what waits, what one asked lately and may do; drawn anew while someone looks at it.

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

LOOKING = 600.0
"""Seconds for which somebody who opened the tab is taken to look at it."""

EVERY = 5.0
"""Seconds between two looks for changes; Slack hears of real ones alone."""

_LOOKERS = 50
_FAILED = "Your roles could not be read (fault {fault}). Open this tab again in a moment."


def register(
    app: AsyncApp, *, service: Service, errands: BackgroundQueue, client: AsyncWebClient
) -> None:
    """Take the opening of the home tab."""
    homes = _Homes(service, errands, client)

    @app.event("app_home_opened")
    async def app_home_opened(body: dict[str, Any]) -> None:
        """Draw it, right after the ack."""
        actor = opener(body)
        if actor is not None:
            homes.opened(actor)


class _Homes:
    """Draws the tabs, and redraws those that somebody looks at."""

    def __init__(self, service: Service, errands: BackgroundQueue, client: AsyncWebClient) -> None:
        self._service = service
        self._errands = errands
        self._client = client
        self._shown: dict[str, dict[str, Any]] = {}
        self._watching: dict[str, asyncio.Task[None]] = {}

    def opened(self, actor: Actor) -> None:
        """Draw it now, and again when it changes."""

        async def draw() -> None:
            await self._publish(actor, await self._drawn(actor))
            self._watch(actor)

        async def sorry(fault: str) -> None:
            trouble = _FAILED.format(fault=fault)
            await self._publish(actor, home_view.home(None, [], trouble=trouble))

        self._errands.take("draw the home tab", draw, sorry)

    def _watch(self, actor: Actor) -> None:
        before = self._watching.pop(actor.user, None)
        if before is not None:
            before.cancel()
        if len(self._watching) < _LOOKERS:
            watch = self._errands.keep(f"home of {actor.user}", self._follow(actor))
            self._watching[actor.user] = watch

    async def _follow(self, actor: Actor) -> None:
        until = time.monotonic() + LOOKING
        while time.monotonic() < until:
            await asyncio.sleep(EVERY)
            try:
                view = await self._drawn(actor)
                if view != self._shown.get(actor.user):
                    await self._publish(actor, view)
            except (CallError, DirectoryError, StoreError) as error:
                log.warning("a home tab is not drawn anew", user=actor.user, why=str(error))
        self._watching.pop(actor.user, None)
        self._shown.pop(actor.user, None)

    async def _drawn(self, actor: Actor) -> dict[str, Any]:
        standing = await self._service.queries.permissions_everywhere(actor)
        mine, waiting = await self._service.queries.open_requests(actor)
        away = await self._service.queries.off_air(actor, Place(""), read_states=False)
        recent = await self._service.queries.recent(actor)
        return home_view.home(
            standing, recent, mine, waiting, away, card=self._service.queries.card_link
        )

    async def _publish(self, actor: Actor, view: dict[str, Any]) -> None:
        await call_or_raise(self._client.views_publish(user_id=actor.user, view=view))
        self._shown[actor.user] = view


def opener(body: Mapping[str, Any]) -> Actor | None:
    """Say who opened the home tab; None for the other tab."""
    event = body.get("event")
    user, team = text_at(event, "user"), text_at(body, "team_id")
    return Actor(team, user) if user and team and text_at(event, "tab") == "home" else None
