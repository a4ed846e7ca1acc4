"""What Slack refuses: retried, given up, or posted in a form it takes."""

from dataclasses import replace
from typing import Any

import pytest

from bot.metrics import Metrics
from bot.model.messages import MessageKind, RetryLater, Sent, Undeliverable
from tests.support.deliveries import ACCEPTED, OPERATION, Office, delivery
from tests.support.fake_slack import Fault


async def test_messenger_honors_retry_after(office: Office) -> None:
    """A rate-limited message is postponed by the seconds in Retry-After."""
    limited = Fault("ratelimited", status=429, headers={"Retry-After": "17"})
    office.slack.fails("chat.postMessage", limited)

    later = await office.desk.deliver(delivery(OPERATION))

    assert isinstance(later, RetryLater)
    assert (later.seconds, later.uncertain) == (17.0, False)
    assert office.slack.methods() == ["chat.postMessage"]


async def test_messenger_waits_no_longer_than_five_minutes(office: Office) -> None:
    """A Retry-After of a day postpones the message by 300 seconds."""
    limited = Fault("ratelimited", status=429, headers={"Retry-After": "86400"})
    office.slack.fails("chat.postMessage", limited)

    later = await office.desk.deliver(delivery(OPERATION))

    assert isinstance(later, RetryLater)
    assert later.seconds == 300.0


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


async def test_messenger_posts_text_when_blocks_are_invalid(office: Office) -> None:
    """A message whose blocks Slack refuses is posted with its text alone."""
    office.slack.fails("chat.postMessage", Fault("invalid_blocks"))

    assert isinstance(await office.desk.deliver(delivery(OPERATION)), Sent)

    (message,) = office.slack.messages
    assert message["blocks"] == []
    assert message["text"].startswith("⏳ *Sending: stop `stream1`")


@pytest.mark.parametrize("change", [{"api": "GoneAction"}, {"api": ""}])
async def test_messenger_delivers_for_an_unknown_action(
    office: Office, change: dict[str, Any]
) -> None:
    """Every kind of message is delivered for an operation whose action is unknown."""
    for owed in MessageKind:
        assert isinstance(
            await office.desk.deliver(delivery(replace(ACCEPTED, **change), owed)), Sent
        )


async def test_slack_that_is_down_is_no_refused_token(office: Office) -> None:
    """While Slack is down the gauge stays, as its help says: the age of the outbox tells of it."""
    (gauge,) = (one for one in Metrics().described if one.name == "stopstream_slack_up")
    office.slack.fails("chat.postMessage", Fault("down", status=503))

    later = await office.desk.deliver(delivery(OPERATION))

    assert isinstance(later, RetryLater)
    assert office.desk.trouble == ""
    assert "takes the bot's token" in gauge.help
    assert "stopstream_outbox_oldest_age_seconds grows" in gauge.help
