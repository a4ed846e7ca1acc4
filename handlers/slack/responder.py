"""What a reply needs besides its ack: the form, a look-up, a word in a thread; all as errands."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.catalog.registry import action_of
from bot.commands.parsed import Audit, Form, Help, OffAir, WhoAmI
from bot.model.commands import Command, Invocation
from bot.model.operations import Search
from bot.operations.results import Accepted, DryRun, Invalid, Permissions, Reply
from bot.operations.service import Service
from handlers.messages import dry_run as dry_run_messages
from handlers.messages import help as help_messages
from handlers.messages import off_air as off_air_messages
from handlers.messages import replies, rights, search_results, views
from handlers.messages.blocks import Message
from handlers.messages.mrkdwn import escape
from handlers.slack.api_calls import Answered, CallError, call, call_or_raise, reply, seen_thread
from handlers.slack.background import BackgroundQueue

GLANCE = 0.02
"""Seconds in which rights are known, if they are remembered; an ack does not wait for Slack."""

BUSY = Message(
    "Too much is asked of me at this moment, so this was not done. Try again in a few seconds."
)

FORM_FAILED = (
    "The form could not be opened (fault {fault}). Nothing was sent. "
    "Type the command instead; `/stopstream help` shows how."
)

LOOK_UP_FAILED = "This could not be looked up (fault {fault}). Nothing was sent. Try again."


class Responder:
    """Turns replies into what the asker sees.

    Args:
        clock: Epoch seconds.
    """

    def __init__(
        self,
        *,
        service: Service,
        errands: BackgroundQueue,
        client: AsyncWebClient,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._service = service
        self._errands = errands
        self._client = client
        self._clock = clock

    async def ask(self, asked: Invocation, trigger_id: str = "") -> Message:
        """Ask the service, and start what the answer needs; give the text of the ack.

        Args:
            asked: As it came.
            trigger_id: With which a form may be opened within 3 s; empty where there is none.
        """
        found = await self._service.ask(asked)
        if isinstance(found, Accepted):
            action = action_of(found.operation)
            return replies.receipt(found, self._service.vocabulary, action)
        if isinstance(found, Help):
            return await self._help(found, asked)
        return self._follow(found, asked, trigger_id)

    async def ask_aside(self, asked: Invocation) -> None:
        """Ask the service where no ack carries text: what is taken shows as its card."""
        found = await self._service.ask(asked)
        if isinstance(found, Accepted):
            return
        if isinstance(found, Help):
            self._look_up("help", asked, lambda: self._marked(found, asked), found)
            return
        if isinstance(found, Invalid):
            self.tell(asked, replies.parse_error(found.error, in_thread=True))
            return
        if not isinstance(found, WhoAmI | Audit | DryRun | OffAir):
            self.tell(asked, self._follow(found, asked, ""))
            return
        self._follow(found, asked, "")

    def aside(self, reply: Reply) -> Message:
        """Give what to tell somebody whose press was not taken, or was taken before."""
        action = action_of(reply.operation) if isinstance(reply, Accepted) else None
        if isinstance(reply, Accepted) and reply.again:
            address = self._service.queries.card_link(reply.operation)
            return replies.asked_before(reply.operation, action, address)
        return replies.receipt(reply, self._service.vocabulary, action)

    def _follow(self, found: Reply, asked: Invocation, trigger_id: str) -> Message:
        taken = True
        match found:
            case Form(verb) if not trigger_id:
                return replies.form_offer(verb)
            case Form(verb):
                place = views.FormPlace(verb, asked.place.channel, asked.place.thread_ts)
                taken = self.open_form(place, trigger_id, asked)
            case DryRun(command):
                taken = self._look_up("dry run", asked, lambda: self._rehearsed(asked, command))
            case WhoAmI():
                taken = self._look_up("whoami", asked, lambda: self._whoami(asked))
            case Audit():
                taken = self._look_up("audit", asked, lambda: self._trail(asked, found))
            case OffAir():
                taken = self._look_up("what is off", asked, lambda: self._off(asked))
            case _:
                pass
        return replies.receipt(found, self._service.vocabulary) if taken else BUSY

    def open_form(self, place: views.FormPlace, trigger_id: str, asked: Invocation) -> bool:
        """Open the form for a member; False if too much waits. The trigger lives for 3 s."""

        async def work() -> None:
            # The policy's defaults stand in it.
            if denied := await self._service.queries.outsider(asked.actor):
                await self.whisper(asked, Message(escape(denied.reason)))
                return
            view = views.form(place, self._service.vocabulary)
            await call_or_raise(self._client.views_open(trigger_id=trigger_id, view=view))

        async def sorry(fault: str) -> None:
            await self.whisper(asked, Message(FORM_FAILED.format(fault=fault)))

        return self._errands.take("open the form", work, sorry)

    def tell(self, asked: Invocation, message: Message) -> None:
        """Tell the asker alone, outside an ack."""

        async def work() -> None:
            await self.whisper(asked, message)

        self._errands.take("tell the asker", work)

    def tell_instead(self, asked: Invocation, message: Message) -> None:
        """Put it in place of the message whose button was pressed, or beside it."""

        async def work() -> None:
            url = asked.place.reply_url
            outcome = await reply(self._client, url, message, instead=True) if url else None
            if not isinstance(outcome, Answered):
                await self.whisper(asked, message)

        self._errands.take("tell the asker", work)

    async def whisper(self, asked: Invocation, message: Message) -> None:
        """Tell the asker alone, now.

        Raises:
            CallError: Slack did not take it.
        """
        place = asked.place
        thread = await seen_thread(self._client, place)
        if thread:
            outcome = await call(self._aside(asked, message, thread))
            if isinstance(outcome, Answered):
                return
        # A `response_url` knows no thread: what it brings stands in the channel.
        if place.reply_url:
            outcome = await reply(self._client, place.reply_url, message)
            if not isinstance(outcome, Answered):
                raise CallError(outcome)
        elif place.channel:
            await call_or_raise(self._aside(asked, message, ""))
        else:
            # From the home tab: there is no channel in which they could be told alone.
            await call_or_raise(
                self._client.chat_postMessage(
                    channel=asked.actor.user, text=message.text, blocks=list(message.blocks)
                )
            )

    def _aside(
        self, asked: Invocation, message: Message, thread: str
    ) -> Awaitable[AsyncSlackResponse]:
        return self._client.chat_postEphemeral(
            channel=asked.place.channel,
            user=asked.actor.user,
            text=message.text,
            blocks=list(message.blocks),
            thread_ts=thread or None,
        )

    # --- help ----------------------------------------------------------------------

    async def _help(self, wanted: Help, asked: Invocation) -> Message:
        """Give help at once: marked where rights are remembered, else the marks come after it."""
        looking = asyncio.create_task(self._service.queries.permissions(asked.actor, asked.place))
        await asyncio.wait({looking}, timeout=GLANCE)
        if looking.done():
            # Where Slack does not say who they are, help stays unmarked.
            standing = None if looking.exception() else looking.result()
            return self._page(wanted, standing)

        async def work() -> None:
            await self.whisper(asked, rights.whoami_on(wanted.topic, await looking))

        if not self._errands.take("what of the help is theirs", work):
            looking.cancel()
        return self._page(wanted, None)

    async def _marked(self, wanted: Help, asked: Invocation) -> Message:
        standing = await self._service.queries.permissions(asked.actor, asked.place)
        return help_messages.in_thread(self._page(wanted, standing))

    def _page(self, wanted: Help, standing: Permissions | None) -> Message:
        said = self._service.vocabulary
        return help_messages.help_on(wanted.topic, said.actions, standing, said.targets)

    # --- look-ups ------------------------------------------------------------------

    def _look_up(
        self,
        name: str,
        asked: Invocation,
        find: Callable[[], Awaitable[Message]],
        instead: Help | None = None,
    ) -> bool:
        async def work() -> None:
            await self.whisper(asked, await find())

        async def sorry(fault: str) -> None:
            failed = Message(LOOK_UP_FAILED.format(fault=fault))
            shown = help_messages.in_thread(self._page(instead, None)) if instead else failed
            await self.whisper(asked, shown)

        return self._errands.take(name, work, sorry)

    async def _whoami(self, asked: Invocation) -> Message:
        return rights.whoami(await self._service.queries.permissions(asked.actor, asked.place))

    async def _rehearsed(self, asked: Invocation, command: Command) -> Message:
        return dry_run_messages.dry_run_reply(await self._service.dry_run(asked, command))

    async def _off(self, asked: Invocation) -> Message:
        return off_air_messages.off_air_list(
            await self._service.queries.off_air(asked.actor, asked.place)
        )

    async def _trail(self, asked: Invocation, wanted: Audit) -> Message:
        search = Search(
            self._clock() - wanted.since,
            wanted.user,
            wanted.apis,
            wanted.target,
            wanted.state,
            case=wanted.case,
            account=wanted.account,
        )
        return search_results.search_reply(
            await self._service.queries.audit(
                asked.actor, asked.place, search, search_results.PAGE_MOST
            )
        )
