"""The home tab: what one asked lately and may do, drawn when it is opened.

Source: https://docs.slack.dev/surfaces/app-home
"""

from collections.abc import Mapping
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.model import Actor, Place
from bot.service import Service
from handlers import views
from handlers.calls import need
from handlers.errands import Errands
from handlers.payloads import text_at

_FAILED = "Your roles could not be read (fault {fault}). Open this tab again in a moment."


def register(app: AsyncApp, *, service: Service, errands: Errands, client: AsyncWebClient) -> None:
    """Take the opening of the home tab."""

    @app.event("app_home_opened")
    async def app_home_opened(body: dict[str, Any]) -> None:
        """Draw it, right after the ack."""
        actor = opener(body)
        if actor is None:
            return

        async def draw() -> None:
            standing = await service.standing(actor, Place(""))
            recent = await service.recent(actor)
            await publish(views.home(standing, recent))

        async def sorry(fault: str) -> None:
            trouble = _FAILED.format(fault=fault)
            await publish(views.home(None, [], trouble=trouble))

        async def publish(view: dict[str, Any]) -> None:
            await need(client.views_publish(user_id=actor.user, view=view))

        errands.take("draw the home tab", draw, sorry)


def opener(body: Mapping[str, Any]) -> Actor | None:
    """Say who opened the home tab; None for the other tab."""
    event = body.get("event")
    user, team = text_at(event, "user"), text_at(body, "team_id")
    return Actor(team, user) if user and team and text_at(event, "tab") == "home" else None
