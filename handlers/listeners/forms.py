"""The form: its fields follow the chosen action, and it is submitted as the text of a command.

Source: https://docs.slack.dev/surfaces/modals
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.catalog.registry import picks_live
from bot.catalog.stream_urls import find_url
from bot.commands.parser import LONGEST
from bot.commands.tokens import unescape
from bot.errors import ParseError
from bot.model.actions import Action, Effect
from bot.model.commands import Invocation
from bot.model.people import Actor, Place
from bot.operations.results import Accepted, Invalid, NotRecorded
from bot.operations.service import Service
from handlers.messages import views
from handlers.messages.mrkdwn import escape, quoted
from handlers.messages.replies import MALFORMED
from handlers.messages.stream_picker import LIVE_BLOCK, picked_stream
from handlers.messages.ways_in import OPEN_FORM
from handlers.slack.api_calls import call_or_raise
from handlers.slack.background import BackgroundQueue
from handlers.slack.payloads import actor_of, form_invocation, place_of, text_at
from handlers.slack.responder import Responder

_Redraw: TypeAlias = Callable[[Mapping[str, Any], views.FormPlace, str], None]

_MAX_ERROR = 300
_BLOCKS_MOST = 100
"""Blocks that Slack allows in a form."""
_MEMBER_WITHIN = 1.5
"""Seconds that a mistake in a form waits for Slack to say that its reader is a full member."""
_UNKNOWN = "Slack did not say who you are in time. Nothing was sent; submit it again."
_EFFECTS = {effect.value: effect for effect in Effect}
_TOO_LONG = f"A form takes {LONGEST:,} characters in all. Shorten this."
_NOT_BOTH = "Pick a live stream or type one, not both."
_NOT_A_COMMAND = "The form doesn't name an action. Close it and open it again."


@dataclass(frozen=True, slots=True)
class FormText:
    """The text of the command that a form represents.

    Attributes:
        text: Escaped as Slack does in commands, because the parser undoes it.
        read_as: What the parser reads, unescaped.
        spans: The position of each block in `read_as`.
        empty: The blocks that were left empty.
        refused: By block, why what was typed there is not read.
    """

    text: str
    read_as: str
    spans: tuple[tuple[int, int, str], ...]
    empty: tuple[str, ...]
    refused: Mapping[str, str]

    def block_of(self, error: ParseError, action: Action | None) -> str:
        """Return the block that an error is about, or the choice of the action."""
        if error.start >= len(error.text) and self.empty:
            # Something is missing: the sentence begins with its word.
            word = error.sentence.partition(" ")[0]
            param = action.param(word) if action else None
            block = views.param_block(param.api) if param else ""
            return block if block in self.empty else self.empty[0]
        if len(self.read_as) > LONGEST:
            return max(self.spans, key=lambda span: span[1] - span[0])[2]
        for start, end, block in self.spans:
            if start <= error.at < end:
                return block
        return views.ACTION_BLOCK


def register(
    app: AsyncApp,
    *,
    service: Service,
    responder: Responder,
    background: BackgroundQueue,
    client: AsyncWebClient,
) -> None:
    """Register the form's buttons, choices and submissions."""

    @app.action(re.compile(rf"{OPEN_FORM}:.*"))
    async def open_form(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Open the form of the button's verb."""
        await ack()
        verb = _EFFECTS.get(text_at(action, "value"))
        invocation = form_invocation(body, place_of(body))
        if verb is not None and invocation is not None:
            source = invocation.place
            place = views.FormPlace(verb, source.channel, source.thread_ts)
            responder.open_form(place, invocation.key, invocation)

    _register_choices(app, _redraws(service, responder, background, client))

    @app.view(views.FORM)
    async def submit(ack: AsyncAck, body: dict[str, Any]) -> None:
        """Submit the form's command; an error is shown at its field."""
        values = _values(body)
        invocation = _submitter(body, values)
        if invocation is None:
            await ack(response_action="errors", errors={views.ACTION_BLOCK: MALFORMED})
            return
        errors = await _submit(service, invocation, form_text(values, service.vocabulary.actions))
        if errors:
            await ack(response_action="errors", errors=errors)
        else:
            await ack()


def _redraws(
    service: Service, responder: Responder, background: BackgroundQueue, client: AsyncWebClient
) -> _Redraw:
    """Return what shows a form with other fields, right after the ack."""

    def redraw(body: Mapping[str, Any], place: views.FormPlace, api: str) -> None:
        async def update() -> None:
            actor = actor_of(body)
            if actor is None or await service.queries.outsider(actor) is not None:
                return
            if (view := await responder.form(actor, place, api)) is not None:
                view_id, version = text_at(body, "view", "id"), text_at(body, "view", "hash")
                await call_or_raise(client.views_update(view_id=view_id, hash=version, view=view))

        background.submit("follow what was chosen", update)

    return redraw


def _register_choices(app: AsyncApp, redraw: _Redraw) -> None:
    """Register the choices in the form that change its fields."""

    @app.action(re.compile(rf"{views.CHOOSE_ACTION}(?::.*)?"))
    async def choose(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Show the fields of the chosen action."""
        await ack()
        place = _form_place(body)
        if place is not None:
            redraw(body, place, text_at(action, "selected_option", "value"))

    @app.action(views.CHOOSE_ACCOUNT)
    async def choose_account(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Show the fields for the chosen account."""
        await ack()
        place, values = _form_place(body), _values(body)
        if place is not None:
            chosen = replace(place, account=text_at(action, "selected_option", "value"))
            redraw(body, chosen, _api(values))

    @app.action(views.CHOOSE_CANDIDATE)
    async def choose_found(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Fill in the chosen candidate of the message."""
        await ack()
        place = _form_place(body)
        at = text_at(action, "selected_option", "value")
        candidates = (place.candidates if place else None) or ()
        if place is None or at not in map(str, range(len(candidates))):
            return
        redraw(body, replace(place, chosen=int(at)), "")


def _submitter(body: Mapping[str, Any], values: Mapping[str, Any]) -> Invocation | None:
    """Return who submitted the form and for which channel; None if either is missing."""
    place = _form_place(body)
    if place is None:
        return None
    channel = place.channel or text_at(
        values, views.CHANNEL_BLOCK, views.VALUE, "selected_conversation"
    )
    return form_invocation(body, Place(channel, place.thread_ts)) if channel else None


async def _submit(service: Service, invocation: Invocation, form: FormText) -> dict[str, str]:
    """Ask the service, and return its objections by block."""
    if form.refused:
        denied = await _outsider(service, invocation.actor)
        return {views.ACTION_BLOCK: escape(denied, _MAX_ERROR)} if denied else dict(form.refused)
    reply = await service.ask(replace(invocation, text=form.text))
    match reply:
        case Accepted():
            return {}
        case Invalid() if denied := await _outsider(service, invocation.actor):
            return {views.ACTION_BLOCK: escape(denied, _MAX_ERROR)}
        case Invalid(error):
            api = form.read_as.partition(" ")[0]
            action = next((a for a in service.vocabulary.actions if a.api == api), None)
            return {form.block_of(error, action): escape(error.sentence, _MAX_ERROR)}
        case NotRecorded(sentence, _):
            return {views.ACTION_BLOCK: escape(sentence, _MAX_ERROR)}
        case _:
            return {views.ACTION_BLOCK: _NOT_A_COMMAND}


async def _outsider(service: Service, actor: Actor) -> str:
    """Return why somebody may not read what is wrong with a form; empty for a member.

    An error is shown in the ack alone, so this waits for Slack where nobody is known.
    """
    try:
        async with asyncio.timeout(_MEMBER_WITHIN):
            denied = await service.queries.outsider(actor)
    except TimeoutError:
        return _UNKNOWN
    return denied.reason if denied else ""


def form_text(values: Mapping[str, Any], actions: Iterable[Action] = ()) -> FormText:
    """Return a form's fields as the text of a command, with Tencent's parameter names.

    If the stream's field holds a URL, the fields whose values the URL contains are left out, as
    long as they hold what the form prefilled. A live stream that was picked brings its domain
    and path. What no command can hold is not searched: a request may be a megabyte.
    """
    if (too_long := _too_long(values)) is not None:
        return FormText("", "", (), (), {too_long: _TOO_LONG})
    api = _api(values)
    action = next((a for a in actions if a.api == api), None)
    picked, covered = _picked(values, action), _covered_by_url(values, action)
    text, spans, empty = api, [(0, len(api), views.ACTION_BLOCK)], []
    for block in dict.fromkeys([*values, *picked]):
        name = block.removeprefix("param:") if block.startswith("param:") else ""
        from_url = block in covered and block not in picked and _is_untouched(values, block)
        if not name or from_url:
            continue
        # As the parser reads it, so that an error's position falls into its field's span.
        value = unescape(_escaped(picked.get(block) or _entered(values, block)))
        if not value:
            empty.append(block)
            continue
        start = len(text) + 1
        text = f"{text} {name}={quoted(value)}"
        spans.append((start, len(text), LIVE_BLOCK if block in picked else block))
    refused = _conflicts(values, picked)
    return FormText(_escaped(text), text, tuple(spans), tuple(empty), refused)


def _too_long(values: Mapping[str, Any]) -> str | None:
    """Return the block that holds the most, where all hold more than a command; None else."""
    if len(values) > _BLOCKS_MOST:
        return views.ACTION_BLOCK
    sizes = {block: len(_entered(values, block)) for block in values}
    return max(sizes, key=sizes.__getitem__) if sum(sizes.values()) > LONGEST else None


def _picked(values: Mapping[str, Any], action: Action | None) -> dict[str, str]:
    """Return what the live stream that was picked says, by the blocks of the parameters."""
    stream = picked_stream(_entered(values, LIVE_BLOCK))
    if stream is None or action is None or not picks_live(action):
        return {}
    key = (stream.stream, stream.domain, stream.app)
    blocks = map(views.param_block, action.effect_spec.key)
    return dict(zip(blocks, key, strict=True))


def _conflicts(values: Mapping[str, Any], picked: Mapping[str, str]) -> dict[str, str]:
    """Return why what somebody typed beside what they picked is refused, by block."""
    found: dict[str, str] = {}
    name = next(iter(picked), "")
    for block, value in picked.items():
        typed = _entered(values, block).strip()
        if typed in ("", value) or _is_untouched(values, block):
            continue
        where = f"{picked[name]} is live on {value}. Clear this field."
        found[block] = _NOT_BOTH if block == name else escape(where, _MAX_ERROR)
    return found


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _covered_by_url(values: Mapping[str, Any], action: Action | None) -> tuple[str, ...]:
    """Return the blocks whose values a URL in the stream's field contains."""
    stream = action.param("stream") if action else None
    url = find_url(_entered(values, views.param_block(stream.api)).strip()) if stream else None
    if action is None or url is None:
        return ()
    words = ("domain", "app") if url.side == "push" else ("app",)
    params = filter(None, map(action.param, words))
    return tuple(views.param_block(param.api) for param in params)


def _is_untouched(values: Mapping[str, Any], block: str) -> bool:
    return any(views.is_prefilled(name, _entered(values, block)) for name in values[block])


def _entered(values: Mapping[str, Any], block: str) -> str:
    """Return what a field holds, whatever its entry is called."""
    entries = values.get(block)
    for name in entries if isinstance(entries, Mapping) else ():
        entered = text_at(values, block, name, "value")
        if entered := entered or text_at(values, block, name, "selected_option", "value"):
            return entered
    return ""


def _api(values: Mapping[str, Any]) -> str:
    return _entered(values, views.ACTION_BLOCK)


def _form_place(body: Mapping[str, Any]) -> views.FormPlace | None:
    return views.decode_place(text_at(body, "view", "private_metadata"))


def _values(body: Mapping[str, Any]) -> Mapping[str, Any]:
    view = body.get("view")
    state = view.get("state") if isinstance(view, Mapping) else None
    values = state.get("values") if isinstance(state, Mapping) else None
    return values if isinstance(values, Mapping) else {}
