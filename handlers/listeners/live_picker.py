"""The options of the form's field for a live stream, as somebody opens it or types in it.

Source: https://docs.slack.dev/reference/interaction-payloads/block_suggestion-payload
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.catalog.registry import picks_live
from bot.errors import DirectoryError
from bot.model.people import Place
from bot.operations.service import Service
from handlers.messages import views
from handlers.messages.blocks import Block
from handlers.messages.stream_picker import PICK_STREAM, stream_options
from handlers.slack.payloads import actor_of, text_at

log = structlog.get_logger("stopstream.errands")

ANSWER_WITHIN = 2.5
"""Seconds that the options may take; after three Slack shows an error instead."""

_TYPED_MOST = 200


def register(app: AsyncApp, *, service: Service) -> None:
    """Register the field's options."""

    @app.options(re.compile(rf"{PICK_STREAM}:.*"))
    async def suggest(ack: AsyncAck, body: dict[str, Any]) -> None:
        """Answer with what is live and may be stopped here; nothing where that is not known."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                options = await _options(service, body)
        except (DirectoryError, TimeoutError) as error:
            log.warning("no live streams are offered", why=str(error) or "it took too long")
            options = []
        await ack(options=options)


async def _options(service: Service, body: Mapping[str, Any]) -> list[Block]:
    actor, view = actor_of(body), body.get("view")
    place = views.decode_place(text_at(body, "view", "private_metadata"))
    if actor is None or place is None or not isinstance(view, Mapping):
        return []
    here = service.vocabulary.at(place.channel)
    vocabulary = here.on(place.account) if place.account in here.accounts else here
    drawn = views.drawn_action(view)
    action = next((one for one in vocabulary.actions if one.api == drawn), None)
    if action is None or not picks_live(action) or not vocabulary.meant:
        return []
    typed = text_at(body, "value")[:_TYPED_MOST]
    streams = await service.queries.live_streams(
        actor, Place(place.channel), action, vocabulary.meant, typed
    )
    return stream_options(streams, views.usual_place(action, vocabulary))
