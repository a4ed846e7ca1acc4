"""What reaches people: every message once, in its place; and what Slack does not take is said."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from bot.model.commands import Via
from bot.model.messages import Delivery, MessageKind, RetryLater, Sent, Undeliverable
from bot.model.operations import Operation, State
from bot.model.people import Actor, Place
from handlers.slack.messenger import EVENT_TYPE, Messenger
from tests.fake_slack import BOT, FakeSlack, Fault, slack

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
        desk = Messenger(client, bot=BOT, audit_channel="C0AUDIT", lost=lost.append, clock=clock)
        yield Office(fake, desk, clock, lost)


def delivery(
    operation: Operation, owed: MessageKind = MessageKind.CARD, *, uncertain: bool = False
) -> Delivery:
    key = f"{operation.id}:{owed.value}"
    return Delivery(1, operation, owed, key, operation.state, uncertain=uncertain)


async def test_a_card_is_posted_once_and_edited_afterwards(office: Office) -> None:
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


async def test_a_card_asked_for_in_a_thread_stands_there(office: Office) -> None:
    threaded = replace(OPERATION, place=Place("C0INC", thread_ts="1.5"))

    await office.desk.deliver(delivery(threaded))

    assert office.slack.messages[0]["thread_ts"] == "1.5"


async def test_the_ending_stands_in_the_cards_thread_with_the_request_id(office: Office) -> None:
    assert isinstance(await office.desk.deliver(delivery(ACCEPTED, MessageKind.ENDING)), Sent)

    (message,) = office.slack.messages
    assert message["thread_ts"] == ACCEPTED.card_ts
    assert ACCEPTED.request_id in message["text"]


async def test_the_ending_stands_in_the_thread_it_was_asked_in(office: Office) -> None:
    threaded = replace(ACCEPTED, place=Place("C0INC", thread_ts="1.5"))

    await office.desk.deliver(delivery(threaded, MessageKind.ENDING))

    assert office.slack.messages[0]["thread_ts"] == "1.5"


async def test_a_removed_card_is_posted_anew(office: Office) -> None:
    sent = await office.desk.deliver(delivery(ACCEPTED))

    assert isinstance(sent, Sent)
    assert office.slack.methods() == ["chat.update", "chat.postMessage"]


# --- private -------------------------------------------------------------------------


def denied_at(url: str) -> Operation:
    return replace(DENIED, place=Place("C0INC", reply_url=url))


async def test_a_denial_goes_to_the_asker_alone(office: Office) -> None:
    sent = await office.desk.deliver(
        delivery(denied_at(office.slack.reply_url), MessageKind.PRIVATE)
    )

    assert isinstance(sent, Sent)
    (reply,) = office.slack.replies
    assert reply["response_type"] == "ephemeral"
    assert "You have no role." in reply["text"]
    assert office.slack.messages == []


async def test_after_half_an_hour_the_asker_is_told_in_the_channel(office: Office) -> None:
    office.clock.now = ASKED_AT + 1801

    await office.desk.deliver(delivery(denied_at(office.slack.reply_url), MessageKind.PRIVATE))

    (whisper,) = office.slack.asked("chat.postEphemeral")
    assert (whisper["channel"], whisper["user"]) == ("C0INC", "U0ALICE")


async def test_a_used_up_reply_url_is_not_the_end(office: Office) -> None:
    office.slack.fails("response_url", Fault(status=404, body="used_url"))

    sent = await office.desk.deliver(
        delivery(denied_at(office.slack.reply_url), MessageKind.PRIVATE)
    )

    assert isinstance(sent, Sent)
    assert office.slack.methods() == ["response_url", "chat.postEphemeral"]


async def test_a_mention_is_denied_in_its_thread(office: Office) -> None:
    mention = replace(DENIED, place=Place("C0INC", thread_ts="1.5"), via=Via.MENTION)

    office.slack.threads.add("1.5")
    await office.desk.deliver(delivery(mention, MessageKind.PRIVATE))

    assert office.slack.asked("chat.postEphemeral")[0]["thread_ts"] == "1.5"


async def test_a_mention_that_began_no_thread_is_denied_where_it_is_seen(office: Office) -> None:
    mention = replace(DENIED, place=Place("C0INC", thread_ts="1.5"), via=Via.MENTION)

    await office.desk.deliver(delivery(mention, MessageKind.PRIVATE))

    (whisper,) = office.slack.asked("chat.postEphemeral")
    assert "thread_ts" not in whisper, "Slack shows nothing in a thread that nobody replied in"


async def test_what_is_pressed_in_a_thread_is_answered_there(office: Office) -> None:
    office.slack.threads.add("1.5")
    pressed = replace(DENIED, place=Place("C0INC", "1.5", office.slack.reply_url))

    await office.desk.deliver(delivery(pressed, MessageKind.PRIVATE))

    assert office.slack.asked("chat.postEphemeral")[0]["thread_ts"] == "1.5"
    assert office.slack.replies == []


@pytest.mark.parametrize("method", ["conversations.replies", "chat.postEphemeral"])
async def test_without_the_thread_the_channel_does(office: Office, method: str) -> None:
    office.slack.threads.add("1.5")
    office.slack.fails(method, Fault("missing_scope"))
    pressed = replace(DENIED, place=Place("C0INC", "1.5", office.slack.reply_url))

    await office.desk.deliver(delivery(pressed, MessageKind.PRIVATE))

    assert len(office.slack.replies) == 1


async def test_who_cannot_be_told_in_the_channel_is_told_directly(office: Office) -> None:
    office.slack.fails("chat.postEphemeral", Fault("not_in_channel"))

    sent = await office.desk.deliver(delivery(DENIED, MessageKind.PRIVATE))

    assert isinstance(sent, Sent)
    assert office.slack.messages[0]["channel"] == "U0ALICE"


# --- the audit channel -----------------------------------------------------------------


async def test_the_audit_line_leads_to_the_card(office: Office) -> None:
    await office.desk.deliver(delivery(ACCEPTED, MessageKind.AUDIT))

    (line,) = office.slack.messages
    assert line["channel"] == "C0AUDIT"
    assert "<https://example.slack.com/archives/C0INC/p1700000000000100|card>" in line["text"]


async def test_an_audit_line_without_a_permalink_is_an_audit_line(office: Office) -> None:
    office.slack.fails("chat.getPermalink", Fault("message_not_found"))

    assert isinstance(await office.desk.deliver(delivery(ACCEPTED, MessageKind.AUDIT)), Sent)
    assert "DropLiveStream" in office.slack.messages[0]["text"]


async def test_a_notice_is_escaped(office: Office) -> None:
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
async def test_a_message_whose_answer_was_lost_is_found_and_not_posted_twice(
    office: Office, fault: Fault, owed: MessageKind
) -> None:
    operation = OPERATION if owed is MessageKind.CARD else ACCEPTED
    office.slack.fails("chat.postMessage", fault)

    first = await office.desk.deliver(delivery(operation, owed))
    second = await office.desk.deliver(delivery(operation, owed, uncertain=True))

    assert isinstance(first, RetryLater)
    assert first.uncertain
    (message,) = office.slack.messages
    assert second == Sent(message["channel"], message["ts"])


async def test_a_card_that_is_found_shows_the_state_of_now(office: Office) -> None:
    office.slack.fails("chat.postMessage", Fault(hangs_up=True, done=True))
    await office.desk.deliver(delivery(replace(OPERATION, state=State.WAITING)))

    await office.desk.deliver(delivery(replace(OPERATION, state=State.ACCEPTED), uncertain=True))

    (message,) = office.slack.messages
    (edit,) = office.slack.asked("chat.update")
    assert edit["ts"] == message["ts"]
    assert edit["text"].startswith("Accepted")


async def test_a_notice_whose_answer_was_lost_is_found(office: Office) -> None:
    office.slack.fails("chat.postMessage", Fault(hangs_up=True, done=True))
    await office.desk.announce("the policy is broken", "key1", uncertain=False)

    assert isinstance(await office.desk.announce("…", "key1", uncertain=True), Sent)
    assert len(office.slack.messages) == 1


async def test_what_never_arrived_is_posted_after_the_look_up(office: Office) -> None:
    office.slack.fails("chat.postMessage", Fault(hangs_up=True))
    await office.desk.deliver(delivery(OPERATION))

    assert isinstance(await office.desk.deliver(delivery(OPERATION, uncertain=True)), Sent)
    assert len(office.slack.messages) == 1


async def test_the_look_up_turns_pages(office: Office) -> None:
    await office.desk.deliver(delivery(OPERATION))
    for number in range(5):
        await office.desk.deliver(delivery(replace(OPERATION, id=f"other{number}")))
    office.slack.page = 2

    found = await office.desk.deliver(delivery(OPERATION, uncertain=True))

    assert found == Sent("C0INC", office.slack.messages[0]["ts"])
    assert len(office.slack.messages) == 6


async def test_a_message_of_someone_else_with_our_key_is_not_ours(office: Office) -> None:
    await office.desk.deliver(delivery(OPERATION))
    office.slack.messages[0]["bot_id"] = "B0OTHER"

    await office.desk.deliver(delivery(OPERATION, uncertain=True))

    assert len(office.slack.messages) == 2


async def test_a_look_up_that_fails_keeps_the_message_uncertain(office: Office) -> None:
    office.slack.fails("conversations.history", Fault("internal_error"))

    later = await office.desk.deliver(delivery(OPERATION, uncertain=True))

    assert isinstance(later, RetryLater)
    assert later.uncertain
    assert office.slack.messages == []


async def test_without_the_right_to_look_up_twice_is_better_than_never(office: Office) -> None:
    office.slack.fails("conversations.history", Fault("missing_scope"))

    assert isinstance(await office.desk.deliver(delivery(OPERATION, uncertain=True)), Sent)


# --- what Slack does not take ----------------------------------------------------------


async def test_slack_says_how_long_to_wait(office: Office) -> None:
    limited = Fault("ratelimited", status=429, headers={"Retry-After": "17"})
    office.slack.fails("chat.postMessage", limited)

    later = await office.desk.deliver(delivery(OPERATION))

    assert isinstance(later, RetryLater)
    assert (later.seconds, later.uncertain) == (17.0, False)
    assert office.slack.methods() == ["chat.postMessage"]


@pytest.mark.parametrize("said", ["", "soon", "-1", "٣", "9" * 400])
async def test_an_odd_retry_after_waits_half_a_minute(office: Office, said: str) -> None:
    headers = {"Retry-After": said} if said else {}
    office.slack.fails("chat.postMessage", Fault("ratelimited", status=429, headers=headers))

    later = await office.desk.deliver(delivery(OPERATION))

    assert isinstance(later, RetryLater)
    assert later.seconds == 30.0


async def test_an_unreachable_slack_has_certainly_not_heard(office: Office) -> None:
    await office.slack.server.close()

    later = await office.desk.deliver(delivery(OPERATION))

    assert isinstance(later, RetryLater)
    assert not later.uncertain


@pytest.mark.parametrize(
    "code", ["channel_not_found", "is_archived", "not_in_channel", "msg_too_long", "odd_code"]
)
@pytest.mark.parametrize("owed", [MessageKind.CARD, MessageKind.ENDING, MessageKind.AUDIT])
async def test_what_slack_will_never_take_is_given_up_with_a_reason(
    office: Office, code: str, owed: MessageKind
) -> None:
    office.slack.fails("chat.postMessage", Fault(code))
    office.clock.now += 60

    never = await office.desk.deliver(delivery(OPERATION, owed))

    assert isinstance(never, Undeliverable)
    assert never.why.endswith(".")


async def test_an_audit_line_waits_for_the_card_that_it_links_to(office: Office) -> None:
    later = await office.desk.deliver(delivery(OPERATION, MessageKind.AUDIT))
    assert isinstance(later, RetryLater)
    assert not office.slack.calls

    office.clock.now += 60
    assert isinstance(await office.desk.deliver(delivery(OPERATION, MessageKind.AUDIT)), Sent)


async def test_the_line_of_a_refusal_waits_for_no_card(office: Office) -> None:
    denied = replace(OPERATION, state=State.DENIED)
    assert isinstance(await office.desk.deliver(delivery(denied, MessageKind.AUDIT)), Sent)


async def test_a_channel_without_the_bot_is_forgotten(office: Office) -> None:
    office.slack.fails("chat.postMessage", Fault("not_in_channel"))

    await office.desk.deliver(delivery(OPERATION))

    assert office.lost == ["C0INC"]


@pytest.mark.parametrize("code", ["invalid_auth", "token_revoked", "account_inactive"])
async def test_a_token_may_be_mended(office: Office, code: str) -> None:
    office.slack.fails("chat.postMessage", Fault(code))

    later = await office.desk.deliver(delivery(OPERATION))

    assert isinstance(later, RetryLater)
    assert (later.seconds, later.uncertain) == (60.0, False)
    assert code in later.why


async def test_without_an_audit_channel_nothing_is_posted() -> None:
    async with slack() as (fake, client):
        desk = Messenger(client, bot=BOT)

        assert isinstance(await desk.announce("…", "key1", uncertain=False), Undeliverable)
        assert fake.calls == []


async def test_blocks_that_slack_refuses_are_left_out(office: Office) -> None:
    office.slack.fails("chat.postMessage", Fault("invalid_blocks"))

    assert isinstance(await office.desk.deliver(delivery(OPERATION)), Sent)

    (message,) = office.slack.messages
    assert message["blocks"] == []
    assert message["text"].startswith("Sending: DropLiveStream")


@pytest.mark.parametrize("change", [{"api": "GoneAction"}, {"api": ""}])
async def test_an_operation_of_an_action_that_is_gone_is_still_told(
    office: Office, change: dict[str, Any]
) -> None:
    for owed in MessageKind:
        assert isinstance(
            await office.desk.deliver(delivery(replace(ACCEPTED, **change), owed)), Sent
        )
