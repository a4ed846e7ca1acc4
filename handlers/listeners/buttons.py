"""The buttons of a card: each says what somebody chose; whether it counts is decided elsewhere.

A button's value is the operation's id, a reference and nothing more: action, target and rights
come from the store and the policy.

Source: https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.model.commands import Invocation, Via
from bot.model.operations import Choice, Decision
from bot.model.people import Actor, Place
from bot.operations.follow_ups import FollowUp
from bot.operations.results import Accepted
from bot.operations.service import Service
from handlers.messages import reason_view, replies, views
from handlers.messages.blocks import Message
from handlers.messages.buttons import DECIDE, FOLLOW
from handlers.messages.mrkdwn import escape
from handlers.messages.off_air import FOLLOW_IN_LIST
from handlers.slack.api_calls import call_or_raise
from handlers.slack.background import BackgroundQueue
from handlers.slack.payloads import actor_of, place_of, text_at
from handlers.slack.responder import Responder

_CHOICES = {choice.value: choice for choice in Choice}
_FOLLOWS = {follow.value: follow for follow in FollowUp}
_REASONED = (Choice.DENY, Choice.EMERGENCY)
_WHY = "Say why it cannot wait for a second person."
_ODD = "This button could not be read, so nothing was done."
_FORM_FAILED = "The form could not be opened (fault {fault}). Nothing was changed; press again."


def register(
    app: AsyncApp,
    *,
    service: Service,
    answers: Responder,
    errands: BackgroundQueue,
    client: AsyncWebClient,
) -> None:
    """Take the presses, and the form in which a reason is written."""
    forms = _Forms(service, answers, errands, client)

    @app.action(re.compile(rf"{DECIDE}:.*"))
    async def decide(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Put the choice on the books before the ack; a reason is asked for first."""
        found = decision(body, action)
        reasons = found is not None and found.choice in _REASONED
        trouble = await _decide(service, found) if not reasons else ""
        await ack()
        if found is not None and reasons:
            forms.open(found)
        if trouble:
            answers.tell(_asked(body), Message(escape(trouble)))

    _take_follows(app, service, answers)

    @app.view(reason_view.REASON)
    async def reason(ack: AsyncAck, body: dict[str, Any]) -> None:
        """Put the choice and its reason on the books; an emergency must have one."""
        found = reasoned(body)
        if found is not None and found.choice is Choice.EMERGENCY and not found.reason:
            trouble = _WHY
        else:
            trouble = await _decide(service, found)
        if trouble:
            await ack(response_action="errors", errors={reason_view.REASON_BLOCK: escape(trouble)})
        else:
            await ack()


async def _decide(service: Service, found: Decision | None) -> str:
    """Record a decision; return a sentence where it is none or is not recorded."""
    if found is None:
        return _ODD
    not_recorded = await service.decide(found)
    return not_recorded.sentence if not_recorded else ""


def _take_follows(app: AsyncApp, service: Service, answers: Responder) -> None:
    async def pressed(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        kind, _, name = text_at(action, "action_id").partition(":")
        wish, asked, id_ = _FOLLOWS.get(name), _asked(body), text_at(action, "value")
        if wish is None or not (id_ and asked.key and asked.actor.user):
            await ack()
            answers.tell(asked, Message(_ODD))
            return
        afar = kind == FOLLOW_IN_LIST
        asked = replace(asked, via=Via.LIST) if afar else asked
        reply = await service.follow(id_[:64], wish, asked, afar=afar)
        await ack()
        if not isinstance(reply, Accepted) or reply.again:
            answers.tell(asked, answers.aside(reply))
        elif afar:
            answers.tell(asked, replies.accepted_from_list(reply.operation))

    @app.action(re.compile(rf"{FOLLOW}:.*"))
    async def follow(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Ask for what follows; what is taken shows as a card of its own in the thread."""
        await pressed(ack, body, action)

    @app.action(re.compile(rf"{FOLLOW_IN_LIST}:.*"))
    async def bring(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Ask for the same from the list of what is off: where the thing was stopped."""
        await pressed(ack, body, action)


class _Forms:
    """Opens the form of a reason for whoever may decide."""

    def __init__(
        self, service: Service, answers: Responder, errands: BackgroundQueue, client: AsyncWebClient
    ) -> None:
        self._service = service
        self._answers = answers
        self._errands = errands
        self._client = client

    def open(self, found: Decision) -> None:
        """Open it, or say why not: nobody should give a reason for what is not theirs to decide."""
        asked = Invocation(found.key, found.actor, found.place, "", Via.BUTTON, None)

        async def work() -> None:
            objection = await self._service.objection(found)
            if objection:
                await self._answers.whisper(asked, Message(views.sentence(objection.sentence)))
                return
            view = reason_view.reason_form(found)
            await call_or_raise(self._client.views_open(trigger_id=found.key, view=view))

        async def sorry(fault: str) -> None:
            await self._answers.whisper(asked, Message(_FORM_FAILED.format(fault=fault)))

        self._errands.take("open the form of a reason", work, sorry)


def decision(body: Mapping[str, Any], action: Mapping[str, Any]) -> Decision | None:
    """Translate a press; None if it lacks what it must have."""
    choice = _CHOICES.get(text_at(action, "action_id").removeprefix(f"{DECIDE}:"))
    key, actor, id_ = text_at(body, "trigger_id"), actor_of(body), text_at(action, "value")
    if choice is None or actor is None or not key or not id_:
        return None
    ts = text_at(body, "container", "message_ts") or text_at(body, "message", "ts")
    return Decision(key, id_[:64], choice, actor, place_of(body), message_ts=ts)


def reasoned(body: Mapping[str, Any]) -> Decision | None:
    """Translate the form of a reason; None if it is not as `views.reason` draws it."""
    form = reason_view.decode_reason(text_at(body, "view", "private_metadata"))
    key, actor = text_at(body, "trigger_id"), actor_of(body)
    choice = _CHOICES.get(form.choice) if form else None
    if form is None or choice is None or actor is None or not key:
        return None
    written = text_at(
        body, "view", "state", "values", reason_view.REASON_BLOCK, views.VALUE, "value"
    )
    place = Place(form.channel, form.thread_ts)
    return Decision(
        key, form.operation, choice, actor, place, written.strip(), message_ts=form.message_ts
    )


def _asked(body: Mapping[str, Any]) -> Invocation:
    """Say whom to answer and where."""
    actor = actor_of(body) or Actor("", "")
    return Invocation(text_at(body, "trigger_id"), actor, place_of(body), "", Via.BUTTON, None)
