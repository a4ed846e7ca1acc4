"""The buttons of a card: each is a choice, which the policy judges when it is pressed.

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
from bot.model.people import Place
from bot.operations.follow_ups import FollowUp
from bot.operations.results import Accepted, PressReply, Reply
from bot.operations.service import Service
from handlers.listeners.reason_choice import ReasonChoice, button_press
from handlers.messages import reason_view, replies, views
from handlers.messages.blocks import Message
from handlers.messages.buttons import DECIDE, DETAILS, FOLLOW
from handlers.messages.mrkdwn import escape
from handlers.messages.off_air import FOLLOW_IN_LIST
from handlers.messages.reason_choice import ButtonPress
from handlers.slack.api_calls import call_or_raise
from handlers.slack.background import BackgroundQueue
from handlers.slack.payloads import actor_of, button_invocation, message_ts, place_of, text_at
from handlers.slack.responder import Responder

_CHOICES = {choice.value: choice for choice in Choice}
_FOLLOW_UPS = {follow.value: follow for follow in FollowUp}
_WITH_REASON = (Choice.DENY, Choice.EMERGENCY)
_REASON_MISSING = "Say why it cannot wait for a second person."
_UNREADABLE = "This button could not be read, so nothing was done."
_FORM_FAILED = "The form could not be opened (fault {fault}). Nothing was changed; press again."


def register(
    app: AsyncApp,
    *,
    service: Service,
    responder: Responder,
    background: BackgroundQueue,
    client: AsyncWebClient,
    reasons: ReasonChoice,
) -> None:
    """Register the buttons, and the form in which a reason is written."""
    reason_form = _ReasonForm(service, responder, background, client)

    @app.action(re.compile(rf"{DECIDE}:.*"))
    async def decide(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Store the choice before the ack; where it needs a reason, open the form first."""
        choice = parse_decision(body, action)
        if choice is not None and choice.choice in _WITH_REASON:
            await ack()
            reason_form.open(choice)
            return
        problem = await _decide(service, choice)
        await ack()
        invocation = button_invocation(body)
        if problem and invocation is not None:
            responder.queue_ephemeral(invocation, Message(escape(problem)))

    @app.action(DETAILS)
    async def details(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Show what the card has no room for, behind the ack, to who pressed alone."""
        await ack()
        invocation, id_ = button_invocation(body), text_at(action, "value")[:64]
        if invocation is not None and id_:
            responder.queue_details(invocation, id_)

    _register_follow_ups(app, service, responder, reasons)

    @app.view(reason_view.REASON)
    async def reason(ack: AsyncAck, body: dict[str, Any]) -> None:
        """Store the choice and its reason; an emergency must have one."""
        choice = parse_reason(body)
        if choice is not None and choice.choice is Choice.EMERGENCY and not choice.reason:
            problem = _REASON_MISSING
        else:
            problem = await _decide(service, choice)
        if problem:
            await ack(response_action="errors", errors={reason_view.REASON_BLOCK: escape(problem)})
        else:
            await ack()


async def _decide(service: Service, decision: Decision | None) -> str:
    """Store a decision; return a sentence if it is unreadable or was not recorded."""
    if decision is None:
        return _UNREADABLE
    not_recorded = await service.decide(decision)
    return not_recorded.sentence if not_recorded else ""


def _register_follow_ups(
    app: AsyncApp, service: Service, responder: Responder, reasons: ReasonChoice
) -> None:
    async def press(pressed: ButtonPress, asked: Invocation, reason: str) -> PressReply | None:
        return await _follow(service, pressed, asked, reason)

    def tell(pressed: ButtonPress, asked: Invocation, reply: Reply) -> None:
        if not isinstance(reply, Accepted) or reply.again:
            responder.queue_ephemeral(asked, responder.render_press(reply))
        elif pressed.action_id.startswith(f"{FOLLOW_IN_LIST}:"):
            responder.queue_ephemeral(asked, replies.accepted_from_list(reply.operation))

    async def answer(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        invocation = button_invocation(body)
        if invocation is None:
            await ack()
            return
        if not await reasons.answer(ack, button_press(body, action), invocation):
            responder.queue_ephemeral(invocation, Message(_UNREADABLE))

    reasons.serve(FOLLOW, press, tell)
    reasons.serve(FOLLOW_IN_LIST, press, tell)

    @app.action(re.compile(rf"{FOLLOW}:.*"))
    async def follow(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Ask for the follow-up; if accepted, it shows as a card of its own in the thread."""
        await answer(ack, body, action)

    @app.action(re.compile(rf"{FOLLOW_IN_LIST}:.*"))
    async def bring(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Ask for the same from the list of what is off; its card appears where it was stopped."""
        await answer(ack, body, action)


async def _follow(
    service: Service, pressed: ButtonPress, asked: Invocation, reason: str
) -> PressReply | None:
    """Ask for the follow-up that a button names; None if it can't be read."""
    kind, _, named = pressed.action_id.partition(":")
    name, _, index = named.partition(":")
    follow_up = _FOLLOW_UPS.get(name)
    if follow_up is None or not (pressed.value and asked.key):
        return None
    from_list = kind == FOLLOW_IN_LIST
    return await service.follow(
        pressed.value[:64],
        follow_up,
        replace(asked, via=Via.LIST) if from_list else asked,
        afar=from_list,
        index=int(index) if index.isdecimal() else 0,
        reason=reason,
    )


class _ReasonForm:
    """Opens the form for a reason, for people who may decide."""

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

    def open(self, decision: Decision) -> None:
        """Open the form, or explain why not, so that nobody writes a reason in vain."""
        invocation = Invocation(decision.key, decision.actor, decision.place, "", Via.BUTTON, None)

        async def work() -> None:
            objection = await self._service.objection(decision)
            if objection:
                await self._responder.send_ephemeral(
                    invocation, Message(views.sentence(objection.sentence))
                )
                return
            view = reason_view.reason_form(decision)
            await call_or_raise(self._client.views_open(trigger_id=decision.key, view=view))

        async def on_failure(fault: str) -> None:
            await self._responder.send_ephemeral(
                invocation, Message(_FORM_FAILED.format(fault=fault))
            )

        self._background.submit("open the form of a reason", work, on_failure)


def parse_decision(body: Mapping[str, Any], action: Mapping[str, Any]) -> Decision | None:
    """Translate a press; return None if a field is missing."""
    choice = _CHOICES.get(text_at(action, "action_id").removeprefix(f"{DECIDE}:"))
    key, actor, id_ = text_at(body, "trigger_id"), actor_of(body), text_at(action, "value")
    if choice is None or actor is None or not key or not id_:
        return None
    return Decision(key, id_[:64], choice, actor, place_of(body), message_ts=message_ts(body))


def parse_reason(body: Mapping[str, Any]) -> Decision | None:
    """Translate the form of a reason; return None if it is malformed."""
    form = reason_view.decode_reason(text_at(body, "view", "private_metadata"))
    key, actor = text_at(body, "trigger_id"), actor_of(body)
    choice = _CHOICES.get(form.choice) if form else None
    if form is None or choice is None or actor is None or not key:
        return None
    written = text_at(
        body, "view", "state", "values", reason_view.REASON_BLOCK, views.VALUE, "value"
    )
    place = Place(form.channel, form.thread_ts)
    why = written.strip()[: reason_view.REASON_MOST]
    return Decision(key, form.operation, choice, actor, place, why, message_ts=form.message_ts)
