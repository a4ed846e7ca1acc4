"""Answers an invocation: in the ack, in a form, or in an ephemeral message from the background."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.catalog.registry import action_of
from bot.commands.alerts import Candidate
from bot.commands.parsed import ME, Audit, Form, Help, OffAir, WhoAmI
from bot.errors import DirectoryError
from bot.model.actions import Action
from bot.model.commands import Command, Invocation
from bot.model.operations import Decision, Search
from bot.model.people import Actor, Place, UsersByName
from bot.model.verdicts import Denied
from bot.operations.results import Accepted, DryRun, Invalid, Objection, Permissions, Reply
from bot.operations.service import Service
from handlers.messages import dry_run, off_air, replies, rights, search_results, touched, views
from handlers.messages import help as help_messages
from handlers.messages.blocks import Message
from handlers.messages.confirmation import confirmation_details
from handlers.messages.mrkdwn import escape
from handlers.slack.api_calls import Answered, CallError, call_or_raise, respond
from handlers.slack.background import BackgroundQueue
from handlers.slack.help_pages import HelpPages
from handlers.slack.posting import send_private

GLANCE = 0.02
"""Seconds in which cached permissions are known; an ack does not wait for Slack."""

MEMBER_WITHIN = 0.8
"""Seconds that help or a mistake waits for Slack to say that its reader is a full member.

Once that is known, for a minute, nothing waits; and what is asked never does.
"""

OFFERED_WITHIN = 1.0
"""Seconds that a form waits to learn what its reader can do; its trigger lives for three."""

BUSY = Message(
    "Too much is asked of me at this moment, so this was not done. Try again in a few seconds."
)

FORM_FAILED = (
    "The form could not be opened (fault {fault}). Nothing was sent. "
    "Type the command instead; `/stopstream help` shows how."
)

LOOK_UP_FAILED = "This could not be looked up (fault {fault}). Nothing was sent. Try again."


class Responder:
    """Turns the service's replies into what the requester sees.

    Args:
        is_late: Whether messages to a channel are held up, so that cards come late.
        clock: Epoch seconds.
    """

    def __init__(
        self,
        *,
        service: Service,
        background: BackgroundQueue,
        client: AsyncWebClient,
        is_late: Callable[[str], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._service = service
        self._background = background
        self._client = client
        self._is_late = is_late
        self._clock = clock
        self._help_pages = HelpPages()

    async def reply(self, invocation: Invocation, trigger_id: str = "") -> Message:
        """Ask the service, start what the answer needs, and return the text of the ack.

        Args:
            trigger_id: With which a form may be opened within 3 s; empty where there is none.
        """
        reply = await self._service.ask(invocation)
        match reply:
            case Accepted(again=again):
                if self._is_late(invocation.place.channel):
                    return replies.card_is_late()
                # What it asks is told to nobody who may be an outsider.
                known = again and self._service.queries.is_known_member(invocation.actor)
                return self.render(reply) if known else replies.NOTHING
            case Help() | Invalid():
                return await self._tell_member(reply, invocation)
            case _:
                return self._dispatch(reply, invocation, trigger_id)

    async def _tell_member(self, reply: Help | Invalid, invocation: Invocation) -> Message:
        """Return help or a mistake, which show the policy's defaults and targets, to a member."""
        if not self._service.queries.is_known_member(invocation.actor):
            outsider = asyncio.create_task(self._service.queries.outsider(invocation.actor))
            await asyncio.wait({outsider}, timeout=MEMBER_WITHIN)
            if not outsider.done():
                outsider.cancel()
                return self._tell_later(reply, invocation)
            if (denied := outsider.result()) is not None:
                return Message(escape(denied.reason))
        if isinstance(reply, Help):
            return await self._help(reply, invocation)
        return self.render(reply)

    def _tell_later(self, reply: Help | Invalid, invocation: Invocation) -> Message:
        async def render() -> Message:
            if isinstance(reply, Help):
                return await self._marked(reply, invocation)
            return self.render(reply)

        queued = self._look_up("who asks", invocation, render)
        return Message(replies.WHO_ARE_YOU) if queued else BUSY

    async def reply_ephemeral(self, invocation: Invocation) -> None:
        """Ask the service where an ack carries no text: what is accepted shows as its card."""
        reply = await self._service.ask(invocation)
        match reply:
            case Accepted():
                pass
            case Help():
                self._look_up("help", invocation, lambda: self._marked(reply, invocation), reply)
            case Invalid(error):
                self.queue_ephemeral(invocation, replies.parse_error(error, in_thread=True))
            case WhoAmI() | Audit() | DryRun() | OffAir():
                self._dispatch(reply, invocation, "")
            case _:
                self.queue_ephemeral(invocation, self._dispatch(reply, invocation, ""))

    def render(self, reply: Reply) -> Message:
        """Render the reply to an invocation."""
        action = action_of(reply.operation) if isinstance(reply, Accepted) else None
        return replies.receipt(reply, self._service.vocabulary, action)

    def render_press(self, reply: Reply) -> Message:
        """Render the reply to a press that was not accepted, or was accepted before."""
        if isinstance(reply, Accepted) and reply.again:
            action = action_of(reply.operation)
            address = self._service.queries.card_link(reply.operation)
            return replies.asked_before(reply.operation, action, address)
        return self.render(reply)

    def _dispatch(self, reply: Reply, invocation: Invocation, trigger_id: str) -> Message:
        """Start what a reply needs, and return its text."""
        queued = True
        match reply:
            case Form(verb) if not trigger_id:
                return replies.form_offer(verb)
            case Form(verb):
                place = views.FormPlace(verb, invocation.place.channel, invocation.place.thread_ts)
                queued = self.open_form(place, trigger_id, invocation)
            case DryRun(command):
                queued = self._look_up(
                    "dry run", invocation, lambda: self._dry_run(invocation, command)
                )
            case WhoAmI():
                queued = self._look_up("whoami", invocation, lambda: self._whoami(invocation))
            case Audit():
                queued = self._look_up("audit", invocation, lambda: self._search(invocation, reply))
            case OffAir():
                queued = self._look_up("what is off", invocation, lambda: self._off(invocation))
            case _:
                pass
        return replies.receipt(reply, self._service.vocabulary) if queued else BUSY

    def open_form(
        self,
        place: views.FormPlace,
        trigger_id: str,
        invocation: Invocation,
        find: Callable[[], tuple[Candidate, ...]] | None = None,
    ) -> bool:
        """Open the form for a member; return False if the queue is full. A trigger lives 3 s.

        Args:
            find: Reads the candidates out of a message; not before the reader is known.
        """

        async def work() -> None:
            # The form shows the policy's defaults, which only members may see.
            if await self._turned_away(invocation):
                return
            found = await asyncio.to_thread(find) if find is not None else None
            view = await self.form(invocation.actor, replace(place, candidates=found))
            if view is None:
                await self._send(invocation, await self._whoami(invocation))
                return
            await call_or_raise(self._client.views_open(trigger_id=trigger_id, view=view))

        async def on_failure(fault: str) -> None:
            await self.send_ephemeral(invocation, Message(FORM_FAILED.format(fault=fault)))

        return self._background.submit("open the form", work, on_failure)

    async def form(
        self, actor: Actor, place: views.FormPlace, api: str = ""
    ) -> dict[str, Any] | None:
        """Render the form with what somebody can do in its channel; None if that is nothing.

        Where Slack does not say in time what that is, it offers everything: the policy is asked
        again when it is submitted.
        """
        vocabulary = self._service.vocabulary
        account = place.account or vocabulary.at(place.channel).meant
        try:
            async with asyncio.timeout(OFFERED_WITHIN):
                offered = await self._offered(actor, Place(place.channel), account)
        except (DirectoryError, TimeoutError):
            offered = vocabulary.actions
        if not offered:
            return None
        return views.form(place, replace(vocabulary, actions=offered), api)

    async def _offered(self, actor: Actor, place: Place, account: str) -> tuple[Action, ...]:
        """Return what somebody can do on an account, or on any where that is nothing."""
        on_account = await self._service.queries.form_actions(actor, place, account)
        return on_account or await self._service.queries.form_actions(actor, place, "")

    def queue_ephemeral(self, invocation: Invocation, message: Message) -> None:
        """Send the requester an ephemeral message from the background."""

        async def work() -> None:
            await self.send_ephemeral(invocation, message)

        self._background.submit("tell the asker", work)

    def queue_touched(self, invocation: Invocation, press: Decision) -> None:
        """Show who pressed, alone, what a request touches, if they may decide over it."""

        async def find() -> Message:
            found = await self._service.touched.read(press)
            if isinstance(found, Objection):
                return Message(views.sentence(found.sentence))
            return touched.touched_reply(found, action_of(found.operation))

        if not self._look_up("what it touches", invocation, find):
            self.queue_ephemeral(invocation, BUSY)

    def queue_details(self, invocation: Invocation, id_: str) -> None:
        """Show who pressed, alone, what a card that waits has no room for."""

        async def find() -> Message:
            found = await self._service.queries.waiting_here(id_, invocation.place)
            if found is None:
                return Message("This is no longer waiting; its card shows what became of it.")
            return confirmation_details(found, action_of(found))

        if not self._look_up("the details of a card", invocation, find):
            self.queue_ephemeral(invocation, BUSY)

    def queue_replacement(self, invocation: Invocation, message: Message) -> None:
        """Replace the message whose button was pressed; if Slack refuses, send another one.

        Where there is nothing to say, the message is deleted.
        """

        async def work() -> None:
            shown = await self._for_members(invocation, message)
            url = invocation.place.reply_url
            outcome = await respond(self._client, url, shown, replace=True) if url else None
            if shown.text and not isinstance(outcome, Answered):
                await self._send(invocation, shown)

        self._background.submit("tell the asker", work)

    async def send_ephemeral(self, invocation: Invocation, message: Message) -> None:
        """Send the requester an ephemeral message now; an outsider learns only that they are one.

        Raises:
            CallError: Slack did not accept it.
        """
        await self._send(invocation, await self._for_members(invocation, message))

    async def _turned_away(self, invocation: Invocation) -> bool:
        """Tell an outsider that they are one; return whether the requester is."""
        denied = await self._service.queries.outsider(invocation.actor)
        if denied is not None:
            await self._send(invocation, Message(escape(denied.reason)))
        return denied is not None

    async def _for_members(self, invocation: Invocation, message: Message) -> Message:
        denied = await self._service.queries.outsider(invocation.actor)
        return message if denied is None else Message(escape(denied.reason))

    async def _send(self, invocation: Invocation, message: Message) -> None:
        outcome = await send_private(
            self._client, invocation.actor.user, invocation.place, message, any_failure=True
        )
        if not isinstance(outcome, Answered):
            raise CallError(outcome)

    async def _help(self, help_: Help, invocation: Invocation) -> Message:
        """Return help at once, marked where permissions are cached; else the marks follow it."""
        task = asyncio.create_task(
            self._service.queries.permissions(invocation.actor, invocation.place)
        )
        await asyncio.wait({task}, timeout=GLANCE)
        if task.done():
            # If Slack does not say who they are, help stays unmarked.
            return self._help_page(help_, None if task.exception() else task.result())

        async def work() -> None:
            await self.send_ephemeral(invocation, rights.whoami_on(help_.topic, await task))

        if not self._background.submit("what of the help is theirs", work):
            task.cancel()
        return self._help_page(help_, None)

    async def _marked(self, help_: Help, invocation: Invocation) -> Message:
        permissions = await self._service.queries.permissions(invocation.actor, invocation.place)
        return help_messages.in_thread(self._help_page(help_, permissions))

    def _help_page(self, help_: Help, permissions: Permissions | None) -> Message:
        return self._help_pages.page(help_.topic, self._service.vocabulary, permissions)

    def _look_up(
        self,
        name: str,
        invocation: Invocation,
        find: Callable[[], Awaitable[Message]],
        fallback: Help | None = None,
    ) -> bool:
        async def work() -> None:
            if not await self._turned_away(invocation):
                await self._send(invocation, await find())

        async def on_failure(fault: str) -> None:
            failed = Message(LOOK_UP_FAILED.format(fault=fault))
            shown = help_messages.in_thread(self._help_page(fallback, None)) if fallback else failed
            await self.send_ephemeral(invocation, shown)

        return self._background.submit(name, work, on_failure)

    async def _whoami(self, invocation: Invocation) -> Message:
        queries = self._service.queries
        permissions = await queries.permissions(invocation.actor, invocation.place)
        if permissions.direct and not permissions.here:
            everywhere = await queries.permissions_everywhere(invocation.actor)
            return rights.whoami_in_direct_message(everywhere)
        return rights.whoami(permissions)

    async def _dry_run(self, invocation: Invocation, command: Command) -> Message:
        return dry_run.dry_run_reply(await self._service.dry_run(invocation, command))

    async def _off(self, invocation: Invocation) -> Message:
        return off_air.off_air_list(
            await self._service.queries.off_air(invocation.actor, invocation.place)
        )

    async def _called(self, invocation: Invocation, name: str) -> UsersByName | Denied:
        try:
            return await self._service.queries.called(invocation.actor, name)
        except DirectoryError as error:
            return Denied("directory", f"{error} Mention the person instead, or write user=me.")

    async def _search(self, invocation: Invocation, query: Audit) -> Message:
        search = Search(
            self._clock() - query.since,
            invocation.actor.user if query.user == ME else query.user,
            query.apis,
            query.target,
            query.state,
            case=query.case,
            account=query.account,
        )
        if query.name:
            found = await self._called(invocation, query.name)
            if isinstance(found, Denied):
                return Message(escape(found.reason))
            if len(found.users) != 1:
                return search_results.who_is_meant(query.name, found, search)
            search = replace(search, user=found.users[0].user)
        return search_results.search_reply(
            await self._service.queries.audit(
                invocation.actor, invocation.place, search, search_results.PAGE_MOST
            )
        )
