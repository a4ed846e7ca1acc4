"""What reaches people: every message once, in its place."""

from dataclasses import replace

import pytest

from bot.model.commands import Via
from bot.model.messages import MessageKind, RetryLater, Sent, Undeliverable
from bot.model.operations import Operation, State
from bot.model.people import Place
from handlers.slack.messenger import Messenger
from handlers.slack.posting import EVENT_TYPE
from tests.support.deliveries import ACCEPTED, ASKED_AT, DENIED, OPERATION, Office, delivery
from tests.support.fake_slack import BOT, Fault, slack


async def test_messenger_posts_a_card_once_then_updates_it(office: Office) -> None:
    """A card is posted with its key as metadata and edited in place afterwards."""
    sent = await office.desk.deliver(delivery(OPERATION))
    assert isinstance(sent, Sent)
    later = replace(ACCEPTED, card_channel=sent.channel, card_ts=sent.ts)

    again = await office.desk.deliver(delivery(later))

    assert again == sent
    assert office.slack.methods() == ["chat.postMessage", "chat.update"]
    (message,) = office.slack.messages
    assert message["text"].startswith("⏹ *Stop sent: `stream1`")
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


async def test_reply_url_in_the_clear_is_not_called(office: Office) -> None:
    """A reply address that is not encrypted and not on this machine is left alone."""
    # Reaches this machine, but is none of its own addresses.
    elsewhere = office.slack.reply_url.replace("127.0.0.1", "0.0.0.0")  # noqa: S104 (called)

    sent = await office.desk.deliver(delivery(denied_at(elsewhere), MessageKind.PRIVATE))

    assert isinstance(sent, Sent)
    assert office.slack.methods() == ["chat.postEphemeral"]


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


async def test_messenger_delays_the_audit_line_until_its_card(office: Office) -> None:
    """The audit line waits for the card it links to, but only for seconds."""
    later = await office.desk.deliver(delivery(OPERATION, MessageKind.AUDIT))
    # It is looked at every half second, for others wait behind it.
    assert later == RetryLater(0.5, "the card that it links to does not stand yet", steady=True)
    assert not office.slack.calls

    office.clock.now += 2
    assert isinstance(await office.desk.deliver(delivery(OPERATION, MessageKind.AUDIT)), Sent)


async def test_messenger_posts_a_denial_audit_line_at_once(office: Office) -> None:
    """The audit line of a denied operation is posted without waiting for a card."""
    denied = replace(OPERATION, state=State.DENIED)
    assert isinstance(await office.desk.deliver(delivery(denied, MessageKind.AUDIT)), Sent)


async def test_messenger_announces_nothing_without_audit_channel() -> None:
    """Without an audit channel an announcement is undeliverable, and Slack is not called."""
    async with slack() as (fake, client):
        desk = Messenger(client, bot=BOT)

        assert isinstance(await desk.announce("…", "key1", uncertain=False), Undeliverable)
        assert fake.calls == []
