"""Turns outsiders away before anything of theirs is read: one sentence, nothing of the policy.

That is everyone of whom Slack said a moment ago that they are no full member of the workspace.
Of whom it has said nothing yet is looked up after the ack, and told nothing until then.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from cachetools import TTLCache
from slack_bolt.middleware.async_middleware import AsyncMiddleware
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot.model.commands import Invocation, Via
from bot.model.people import Actor, Place
from bot.model.verdicts import Denied
from bot.operations.service import Service
from handlers.listeners.errors import error_field
from handlers.messages.blocks import Message
from handlers.messages.mrkdwn import escape
from handlers.slack.background import BackgroundQueue
from handlers.slack.payloads import actor_of, place_of, text_at
from handlers.slack.responder import Responder

_TOLD_EVERY, _RECORDED_EVERY = 5.0, 60.0
"""Seconds between two messages to one outsider, or two records of one.

An ack always has its sentence; a message costs Slack's patience, which cards need.
"""


class Outsiders(AsyncMiddleware):
    """Answers an outsider; lets everybody else pass. It must come before every listener.

    A class, because for a function Bolt would collect some thirty arguments at each request.
    """

    def __init__(self, service: Service, responder: Responder, background: BackgroundQueue) -> None:
        self._service = service
        self._door = _Door(service, responder, background)

    async def async_process(self, *, req: AsyncBoltRequest, **given: Any) -> BoltResponse | None:
        """Answer an outsider here; let everybody else pass.

        Args:
            given: Bolt's `resp`, and its `next`, which calls what comes after.
        """
        let_pass: Callable[[], Awaitable[BoltResponse | None]] = given["next"]
        body, ack = req.body, req.context.ack
        actor, place = requester(body)
        denied = self.denied(actor, place) if actor is not None else None
        if actor is None or denied is None:
            return await let_pass()
        if "command" in body:
            return await ack(text=escape(denied.reason), response_type="ephemeral")
        if body.get("type") == "view_submission":
            return await ack(
                response_action="errors", errors={error_field(body): escape(denied.reason)}
            )
        if body.get("type") == "block_suggestion":
            return await ack(options=[])
        if text_at(body, "event", "type") != "app_home_opened":
            self._door.tell(actor, place, denied.reason)
            return await ack()
        return await let_pass()

    def denied(self, actor: Actor, place: Place) -> Denied | None:
        """Return why somebody is turned away, which is recorded; None for everybody else."""
        denied = self._service.queries.outsider_now(actor)
        if denied is not None:
            self._door.record(actor, place)
        return denied


class _Door:
    """Tells and records, each outsider now and then."""

    def __init__(self, service: Service, responder: Responder, background: BackgroundQueue) -> None:
        self._service = service
        self._responder = responder
        self._background = background
        self._told: TTLCache[Actor, bool] = TTLCache(10_000, _TOLD_EVERY)
        self._recorded: TTLCache[Actor, bool] = TTLCache(10_000, _RECORDED_EVERY)

    def tell(self, actor: Actor, place: Place, why: str) -> None:
        """Tell them in a message of their own."""
        if actor not in self._told:
            self._told[actor] = True
            invocation = Invocation("", actor, place, "", Via.BUTTON, None)
            self._responder.queue_ephemeral(invocation, Message(escape(why)))

    def record(self, actor: Actor, place: Place) -> None:
        """Record that they were turned away."""
        if actor in self._recorded:
            return
        self._recorded[actor] = True

        async def work() -> None:
            await self._service.record_turned_away(actor, place.channel)

        self._background.submit("record who was turned away", work)


def requester(body: Mapping[str, Any]) -> tuple[Actor | None, Place]:
    """Return who sent a request of any kind, and where; None where nobody did."""
    if "command" in body:
        user, team = text_at(body, "user_id"), text_at(body, "team_id")
        place = Place(text_at(body, "channel_id"), reply_url=text_at(body, "response_url"))
        return (Actor(team, user) if user and team else None), place
    if body.get("type") == "event_callback":
        event = body.get("event")
        user = text_at(event, "user")
        team = text_at(event, "user_team") or text_at(event, "team") or text_at(body, "team_id")
        thread_ts = text_at(event, "thread_ts") or text_at(event, "ts")
        place = Place(text_at(event, "channel"), thread_ts)
        return (Actor(team, user) if user and team else None), place
    return actor_of(body), place_of(body)
