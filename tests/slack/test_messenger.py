"""What reaches people: every message once, in its place; and what Slack does not take is said."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from bot.model.commands import Via
from bot.model.messages import Delivery, MessageKind, RetryLater, Sent, Undeliverable
from bot.model.operations import Operation, State
from bot.model.people import Actor, Place
from handlers.slack.messenger import Messenger
from handlers.slack.posting import EVENT_TYPE
from tests.support.fake_slack import BOT, FakeSlack, Fault, slack

ASKED_AT = 1_700_000_000.0
OPERATION = Operation(
    id="op1",
    key="trigger",
    state=State.RUNNING,
    actor=Actor("T0HOME", "U0ALICE"),
    place=Place("C0INC"),
    via=Via.COMMAND,
    text="live stream1",
    asked_at=ASKED_AT,
    api="DropLiveStream",
    params={"StreamName": "stream1", "DomainName": "push.example.com", "AppName": "live"},
    rule="roles.oncall.allow[0]",
    attempts=1,
)
ACCEPTED = replace(
    OPERATION,
    state=State.ACCEPTED,
    card_channel="C0INC",
    card_ts="1700000000.000100",
    request_id="8e50cdb5-56dc-408b-89b0-31818958d424",
    duration=0.1,
)
DENIED = replace(OPERATION, state=State.DENIED, detail="You have no role.", attempts=0)


class Clock:
    now = ASKED_AT + 1

    def __call__(self) -> float:
        return self.now


@dataclass
class Office:
    slack: FakeSlack
    desk: Messenger
    clock: Clock
    lost: list[str]


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    async with slack() as (fake, client):
        clock, lost = Clock(), list[str]()
        desk = Messenger(
            client, bot=BOT, audit_channel="C0AUDIT", on_channel_lost=lost.append, clock=clock
        )
        yield Office(fake, desk, clock, lost)


def delivery(
    operation: Operation, owed: MessageKind = MessageKind.CARD, *, uncertain: bool = False
) -> Delivery:
    key = f"{operation.id}:{owed.value}"
    return Delivery(operation, owed, key, operation.state, uncertain=uncertain)


async def test_messenger_posts_a_card_once_then_updates_it(office: Office) -> None:
    """A card is posted with its key as metadata and edited in place afterwards."""
    sent = await office.desk.deliver(delivery(OPERATION))
    assert isinstance(sent, Sent)
    later = replace(ACCEPTED, card_channel=sent.channel, card_ts=sent.ts)

    again = await office.desk.deliver(delivery(later))

    assert again == sent
    assert office.slack.methods() == ["chat.postMessage", "chat.update"]
    (message,) = office.slack.messages
    assert message["text"].startswith("Accepted: DropLiveStream")
    assert message["metadata"] == {
        "event_type": EVENT_TYPE,
        "event_payload": {"key": "op1:card"},
    }
    assert (message["unfurl_links"], message["unfurl_media"]) == (False, False)


async def test_messenger_posts_a_card_in_the_request_thread(office: Office) -> None:
    """A card for a request made in a thread is posted in that thread."""
    threaded = replace(OPERATION, place=Place("C0INC", thread_ts="1.5"))

    await office.desk.deliver(delivery(threaded))

    assert office.slack.messages[0]["thread_ts"] == "1.5"


async def test_messenger_posts_the_result_in_the_card_thread(office: Office) -> None:
    """The result is posted in the card's thread and contains the RequestId."""
    assert isinstance(await office.desk.deliver(delivery(ACCEPTED, MessageKind.ENDING)), Sent)

    (message,) = office.slack.messages
    assert message["thread_ts"] == ACCEPTED.card_ts
    assert ACCEPTED.request_id in message["text"]


async def test_messenger_posts_the_result_in_the_request_thread(office: Office) -> None:
    """The result of a request made in a thread is posted in that thread."""
    threaded = replace(ACCEPTED, place=Place("C0INC", thread_ts="1.5"))

    await office.desk.deliver(delivery(threaded, MessageKind.ENDING))

    assert office.slack.messages[0]["thread_ts"] == "1.5"


async def test_messenger_reposts_a_deleted_card(office: Office) -> None:
    """A card that cannot be updated because it was deleted is posted again."""
    sent = await office.desk.deliver(delivery(ACCEPTED))

    assert isinstance(sent, Sent)
    assert office.slack.methods() == ["chat.update", "chat.postMessage"]


# --- private -------------------------------------------------------------------------


def denied_at(url: str) -> Operation:
    return replace(DENIED, place=Place("C0INC", reply_url=url))


async def test_messenger_sends_a_denial_as_ephemeral(office: Office) -> None:
    """A denial goes to the requester as an ephemeral reply, and no message is posted."""
    sent = await office.desk.deliver(
        delivery(denied_at(office.slack.reply_url), MessageKind.PRIVATE)
    )

    assert isinstance(sent, Sent)
    (reply,) = office.slack.replies
    assert reply["response_type"] == "ephemeral"
    assert "You have no role." in reply["text"]
    assert office.slack.messages == []


async def test_messenger_uses_ephemeral_after_reply_url_expires(office: Office) -> None:
    """A denial is sent with chat.postEphemeral once the response URL has expired."""
    office.clock.now = ASKED_AT + 1801

    await office.desk.deliver(delivery(denied_at(office.slack.reply_url), MessageKind.PRIVATE))

    (whisper,) = office.slack.asked("chat.postEphemeral")
    assert (whisper["channel"], whisper["user"]) == ("C0INC", "U0ALICE")


async def test_messenger_falls_back_when_the_reply_url_is_used_up(office: Office) -> None:
    """A denial is sent with chat.postEphemeral when the response URL is used up."""
    office.slack.fails("response_url", Fault(status=404, body="used_url"))

    sent = await office.desk.deliver(
        delivery(denied_at(office.slack.reply_url), MessageKind.PRIVATE)
    )

    assert isinstance(sent, Sent)
    assert office.slack.methods() == ["response_url", "chat.postEphemeral"]


async def test_messenger_denies_a_mention_in_its_thread(office: Office) -> None:
    """The denial of a mention in an existing thread is shown in that thread."""
    mention = replace(DENIED, place=Place("C0INC", thread_ts="1.5"), via=Via.MENTION)

    office.slack.threads.add("1.5")
    await office.desk.deliver(delivery(mention, MessageKind.PRIVATE))

    assert office.slack.asked("chat.postEphemeral")[0]["thread_ts"] == "1.5"


async def test_messenger_denies_a_top_level_mention_in_the_channel(office: Office) -> None:
    """The denial of a mention without replies is shown in the channel, not in a thread."""
    mention = replace(DENIED, place=Place("C0INC", thread_ts="1.5"), via=Via.MENTION)

    await office.desk.deliver(delivery(mention, MessageKind.PRIVATE))

    (whisper,) = office.slack.asked("chat.postEphemeral")
    assert "thread_ts" not in whisper, "Slack shows nothing in a thread that nobody replied in"


async def test_messenger_answers_a_button_press_in_its_thread(office: Office) -> None:
    """A denial after a button press in a thread is shown there, not at the response URL."""
    office.slack.threads.add("1.5")
    pressed = replace(DENIED, place=Place("C0INC", "1.5", office.slack.reply_url))

    await office.desk.deliver(delivery(pressed, MessageKind.PRIVATE))

    assert office.slack.asked("chat.postEphemeral")[0]["thread_ts"] == "1.5"
    assert office.slack.replies == []


@pytest.mark.parametrize("method", ["conversations.replies", "chat.postEphemeral"])
async def test_messenger_uses_the_reply_url_if_the_thread_fails(
    office: Office, method: str
) -> None:
    """A denial goes to the response URL when its thread cannot be read or written."""
    office.slack.threads.add("1.5")
    office.slack.fails(method, Fault("missing_scope"))
    pressed = replace(DENIED, place=Place("C0INC", "1.5", office.slack.reply_url))

    await office.desk.deliver(delivery(pressed, MessageKind.PRIVATE))

    assert len(office.slack.replies) == 1


async def test_messenger_falls_back_to_a_direct_message(office: Office) -> None:
    """A denial is sent as a direct message when the bot is not in the channel."""
    office.slack.fails("chat.postEphemeral", Fault("not_in_channel"))

    sent = await office.desk.deliver(delivery(DENIED, MessageKind.PRIVATE))

    assert isinstance(sent, Sent)
    assert office.slack.messages[0]["channel"] == "U0ALICE"


# --- the audit channel -----------------------------------------------------------------


async def test_messenger_links_the_audit_line_to_the_card(office: Office) -> None:
    """The line in the audit channel contains a permalink to the card."""
    await office.desk.deliver(delivery(ACCEPTED, MessageKind.AUDIT))

    (line,) = office.slack.messages
    assert line["channel"] == "C0AUDIT"
    assert "<https://example.slack.com/archives/C0INC/p1700000000000100|card>" in line["text"]


async def test_messenger_posts_an_audit_line_without_permalink(office: Office) -> None:
    """The audit line is posted without a link when Slack has no permalink for the card."""
    office.slack.fails("chat.getPermalink", Fault("message_not_found"))

    assert isinstance(await office.desk.deliver(delivery(ACCEPTED, MessageKind.AUDIT)), Sent)
    assert "DropLiveStream" in office.slack.messages[0]["text"]


async def test_messenger_escapes_an_announcement(office: Office) -> None:
    """The text of an announcement in the audit channel is escaped for mrkdwn."""
    await office.desk.announce("<!channel> the policy is broken", "key1", uncertain=False)

    (line,) = office.slack.messages
    assert line["channel"] == "C0AUDIT"
    assert line["text"] == "&lt;!channel&gt; the policy is broken"


# --- answers that were lost ------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        Fault(hangs_up=True, done=True),
        Fault(status=500, body="<html>", content_type="text/html", done=True),
        Fault("internal_error", done=True),
        Fault(body="odd", content_type="text/plain", done=True),
    ],
)
@pytest.mark.parametrize("owed", [MessageKind.CARD, MessageKind.ENDING, MessageKind.AUDIT])
async def test_messenger_finds_a_message_with_a_lost_response(
    office: Office, fault: Fault, owed: MessageKind
) -> None:
    """A message whose response was lost is found by its key and is not posted twice."""
    operation = OPERATION if owed is MessageKind.CARD else ACCEPTED
    office.slack.fails("chat.postMessage", fault)

    first = await office.desk.deliver(delivery(operation, owed))
    second = await office.desk.deliver(delivery(operation, owed, uncertain=True))

    assert isinstance(first, RetryLater)
    assert first.uncertain
    (message,) = office.slack.messages
    assert second == Sent(message["channel"], message["ts"])


async def test_messenger_updates_a_card_found_by_its_key(office: Office) -> None:
    """A card that is found after a lost response is updated to the current state."""
    office.slack.fails("chat.postMessage", Fault(hangs_up=True, done=True))
    await office.desk.deliver(delivery(replace(OPERATION, state=State.WAITING)))

    await office.desk.deliver(delivery(replace(OPERATION, state=State.ACCEPTED), uncertain=True))

    (message,) = office.slack.messages
    (edit,) = office.slack.asked("chat.update")
    assert edit["ts"] == message["ts"]
    assert edit["text"].startswith("Accepted")


async def test_messenger_finds_an_announcement_by_its_key(office: Office) -> None:
    """An announcement whose response was lost is found and is not posted twice."""
    office.slack.fails("chat.postMessage", Fault(hangs_up=True, done=True))
    await office.desk.announce("the policy is broken", "key1", uncertain=False)

    assert isinstance(await office.desk.announce("…", "key1", uncertain=True), Sent)
    assert len(office.slack.messages) == 1


async def test_messenger_posts_a_message_the_lookup_did_not_find(office: Office) -> None:
    """An uncertain message that never reached Slack is posted after the lookup."""
    office.slack.fails("chat.postMessage", Fault(hangs_up=True))
    await office.desk.deliver(delivery(OPERATION))

    assert isinstance(await office.desk.deliver(delivery(OPERATION, uncertain=True)), Sent)
    assert len(office.slack.messages) == 1


async def test_messenger_lookup_follows_pagination(office: Office) -> None:
    """The lookup of an uncertain message follows pagination to an older page."""
    await office.desk.deliver(delivery(OPERATION))
    for number in range(5):
        await office.desk.deliver(delivery(replace(OPERATION, id=f"other{number}")))
    office.slack.page = 2

    found = await office.desk.deliver(delivery(OPERATION, uncertain=True))

    assert found == Sent("C0INC", office.slack.messages[0]["ts"])
    assert len(office.slack.messages) == 6


async def test_messenger_lookup_ignores_messages_of_other_bots(office: Office) -> None:
    """A message by another bot with the same key is not taken for the bot's own."""
    await office.desk.deliver(delivery(OPERATION))
    office.slack.messages[0]["bot_id"] = "B0OTHER"

    await office.desk.deliver(delivery(OPERATION, uncertain=True))

    assert len(office.slack.messages) == 2


async def test_messenger_keeps_uncertain_when_the_lookup_fails(office: Office) -> None:
    """A failed lookup leaves the message uncertain and posts nothing."""
    office.slack.fails("conversations.history", Fault("internal_error"))

    later = await office.desk.deliver(delivery(OPERATION, uncertain=True))

    assert isinstance(later, RetryLater)
    assert later.uncertain
    assert office.slack.messages == []


async def test_messenger_posts_without_the_lookup_scope(office: Office) -> None:
    """An uncertain message is posted again when the scope for the lookup is missing."""
    office.slack.fails("conversations.history", Fault("missing_scope"))

    assert isinstance(await office.desk.deliver(delivery(OPERATION, uncertain=True)), Sent)


# --- what Slack does not take ----------------------------------------------------------


async def test_messenger_honors_retry_after(office: Office) -> None:
    """A rate-limited message is postponed by the seconds in Retry-After."""
    limited = Fault("ratelimited", status=429, headers={"Retry-After": "17"})
    office.slack.fails("chat.postMessage", limited)

    later = await office.desk.deliver(delivery(OPERATION))

    assert isinstance(later, RetryLater)
    assert (later.seconds, later.uncertain) == (17.0, False)
    assert office.slack.methods() == ["chat.postMessage"]


@pytest.mark.parametrize("said", ["", "soon", "-1", "٣", "9" * 400])
async def test_messenger_defaults_an_invalid_retry_after(office: Office, said: str) -> None:
    """A missing or invalid Retry-After postpones the message by 30 seconds."""
    headers = {"Retry-After": said} if said else {}
    office.slack.fails("chat.postMessage", Fault("ratelimited", status=429, headers=headers))

    later = await office.desk.deliver(delivery(OPERATION))

    assert isinstance(later, RetryLater)
    assert later.seconds == 30.0


async def test_messenger_is_certain_when_slack_is_unreachable(office: Office) -> None:
    """A refused connection postpones the message without marking it uncertain."""
    await office.slack.server.close()

    later = await office.desk.deliver(delivery(OPERATION))

    assert isinstance(later, RetryLater)
    assert not later.uncertain


@pytest.mark.parametrize(
    "code", ["channel_not_found", "is_archived", "not_in_channel", "msg_too_long"]
)
@pytest.mark.parametrize("owed", [MessageKind.CARD, MessageKind.ENDING, MessageKind.AUDIT])
async def test_messenger_gives_up_on_a_permanent_error(
    office: Office, code: str, owed: MessageKind
) -> None:
    """An error that a retry cannot fix makes the message undeliverable, with a reason."""
    office.slack.fails("chat.postMessage", Fault(code))
    office.clock.now += 60

    never = await office.desk.deliver(delivery(OPERATION, owed))

    assert isinstance(never, Undeliverable)
    assert never.why.endswith(".")


async def test_messenger_delays_the_audit_line_until_its_card(office: Office) -> None:
    """The audit line waits for the card it links to, but not longer than a minute."""
    later = await office.desk.deliver(delivery(OPERATION, MessageKind.AUDIT))
    assert isinstance(later, RetryLater)
    assert not office.slack.calls

    office.clock.now += 60
    assert isinstance(await office.desk.deliver(delivery(OPERATION, MessageKind.AUDIT)), Sent)


async def test_messenger_posts_a_denial_audit_line_at_once(office: Office) -> None:
    """The audit line of a denied operation is posted without waiting for a card."""
    denied = replace(OPERATION, state=State.DENIED)
    assert isinstance(await office.desk.deliver(delivery(denied, MessageKind.AUDIT)), Sent)


async def test_messenger_reports_a_channel_it_is_not_in(office: Office) -> None:
    """A not_in_channel error reports the channel as lost."""
    office.slack.fails("chat.postMessage", Fault("not_in_channel"))

    await office.desk.deliver(delivery(OPERATION))

    assert office.lost == ["C0INC"]


@pytest.mark.parametrize("code", ["invalid_auth", "token_revoked", "account_inactive"])
async def test_messenger_retries_after_an_auth_error(office: Office, code: str) -> None:
    """An invalid or revoked token postpones the message by a minute and names the error."""
    office.slack.fails("chat.postMessage", Fault(code))

    later = await office.desk.deliver(delivery(OPERATION))

    assert isinstance(later, RetryLater)
    assert (later.seconds, later.uncertain) == (60.0, False)
    assert code in later.why


async def test_messenger_announces_nothing_without_audit_channel() -> None:
    """Without an audit channel an announcement is undeliverable, and Slack is not called."""
    async with slack() as (fake, client):
        desk = Messenger(client, bot=BOT)

        assert isinstance(await desk.announce("…", "key1", uncertain=False), Undeliverable)
        assert fake.calls == []


async def test_messenger_posts_text_when_blocks_are_invalid(office: Office) -> None:
    """A message whose blocks Slack refuses is posted with its text alone."""
    office.slack.fails("chat.postMessage", Fault("invalid_blocks"))

    assert isinstance(await office.desk.deliver(delivery(OPERATION)), Sent)

    (message,) = office.slack.messages
    assert message["blocks"] == []
    assert message["text"].startswith("Sending: DropLiveStream")


@pytest.mark.parametrize("change", [{"api": "GoneAction"}, {"api": ""}])
async def test_messenger_delivers_for_an_unknown_action(
    office: Office, change: dict[str, Any]
) -> None:
    """Every kind of message is delivered for an operation whose action is unknown."""
    for owed in MessageKind:
        assert isinstance(
            await office.desk.deliver(delivery(replace(ACCEPTED, **change), owed)), Sent
        )
