"""The root card in Slack is edited as more becomes known of what it stopped."""

from dataclasses import replace
from typing import Any

import pytest

from bot.model.messages import Sent
from bot.model.operations import LaterEvent, LaterKind, LiveBefore
from handlers.messages.mrkdwn import format_slack_time
from tests.support.deliveries import ACCEPTED, ASKED_AT, OPERATION, Office, delivery

AT, UNTIL = ASKED_AT + 600.0, ASKED_AT + 7200.0
BANNED: dict[str, Any] = {"api": "ForbidLiveStream"}
WHERE = "`stream1` on `push.example.com`, app `live`"
WHEN, END = format_slack_time(AT), format_slack_time(UNTIL)


@pytest.mark.parametrize(
    ("given", "event", "said"),
    [
        (
            {"live_before": LiveBefore.LIVE},
            LaterEvent(LaterKind.CHECKED, ASKED_AT + 7, "inactive"),
            f"🔵 *Off: {WHERE}* · checked 6 s later",
        ),
        (
            {"live_before": LiveBefore.UNREADABLE},
            LaterEvent(LaterKind.CHECKED, ASKED_AT + 7, "inactive"),
            "Not live, checked 6 s later.",
        ),
        (
            {"live_before": LiveBefore.LIVE},
            LaterEvent(LaterKind.CHECKED, ASKED_AT + 7, "unseen"),
            "Couldn't check whether it is off (6 s later).",
        ),
        (
            {"live_before": LiveBefore.LIVE},
            LaterEvent(LaterKind.ON_AGAIN, ASKED_AT + 8, "active"),
            f"🔴 *Live again: {WHERE}* · seen 7 s later",
        ),
        (
            {"live_before": LiveBefore.NOT_LIVE},
            LaterEvent(LaterKind.ON_AGAIN, AT, "active"),
            f"🔴 *Live: {WHERE}* · seen {WHEN}",
        ),
        (
            {"api": "ForbidLiveDomain"},
            LaterEvent(LaterKind.ON_AGAIN, AT, "enabled"),
            f"* · seen {WHEN}",
        ),
        (
            {"api": "StopLivePadStream"},
            LaterEvent(LaterKind.ON_AGAIN, AT, "on"),
            f"* · seen {WHEN}",
        ),
        (
            BANNED,
            LaterEvent(LaterKind.EXTENDED, AT, by="U0BOB", until=UNTIL),
            f"🔵 *Extended: `stream1` until {END}* · by <@U0BOB> {WHEN}",
        ),
        (
            BANNED,
            LaterEvent(LaterKind.STOPPED_AGAIN, AT, by="U0BOB"),
            f"Stopped again by <@U0BOB> {WHEN}.",
        ),
        (
            BANNED,
            LaterEvent(LaterKind.UNDONE, AT, by="U0BOB"),
            f"↩️ *Lifted: {WHERE}* · by <@U0BOB> {WHEN}",
        ),
        (
            {"api": "ForbidLiveDomain"},
            LaterEvent(LaterKind.UNDONE, AT, by="U0BOB"),
            f"* · by <@U0BOB> {WHEN}",
        ),
        (
            BANNED,
            LaterEvent(LaterKind.ENDED, AT, "inactive"),
            f"⚪ *Ended: ban {WHERE}* · {WHEN}, not live then",
        ),
        (
            BANNED,
            LaterEvent(LaterKind.STILL_OFF, AT, "forbid"),
            f"⚠️ *Still off: {WHERE}* · due to end {WHEN}, still banned",
        ),
        (
            BANNED,
            LaterEvent(LaterKind.STILL_OFF, AT),
            f"It was due to end {WHEN}; couldn't check whether it is still off.",
        ),
    ],
)
async def test_card_is_edited_with_what_happened_later(
    office: Office, given: dict[str, Any], event: LaterEvent, said: str
) -> None:
    """The card that was posted is edited; its text and its blocks say what happened later."""
    sent = await office.desk.deliver(delivery(OPERATION))
    assert isinstance(sent, Sent)
    posted = replace(
        ACCEPTED,
        card_channel=sent.channel,
        card_ts=sent.ts,
        ended_at=ASKED_AT + 1,
        later=event,
        target="stream1",
    )

    assert await office.desk.deliver(delivery(replace(posted, **given))) == sent

    (message,) = office.slack.messages
    assert said in message["text"]
    assert said in str(message["blocks"][0]["text"]["text"])


async def test_card_escapes_the_state_that_was_read_later(office: Office) -> None:
    """A state is foreign text: it can mention nobody."""
    event = LaterEvent(LaterKind.ON_AGAIN, AT, "<!channel>")

    await office.desk.deliver(delivery(replace(OPERATION, later=event)))

    assert "<!channel>" not in str(office.slack.messages)
