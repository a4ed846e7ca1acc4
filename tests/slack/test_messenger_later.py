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
WHEN, END = format_slack_time(AT), format_slack_time(UNTIL)


@pytest.mark.parametrize(
    ("given", "event", "label", "said"),
    [
        (
            {"live_before": LiveBefore.LIVE},
            LaterEvent(LaterKind.CHECKED, ASKED_AT + 7, "inactive"),
            "Accepted",
            "⚫ *Off*, checked 6 s later.",
        ),
        (
            {"live_before": LiveBefore.UNREADABLE},
            LaterEvent(LaterKind.CHECKED, ASKED_AT + 7, "inactive"),
            "Accepted",
            "Its state was `inactive` 6 s later.",
        ),
        (
            {"live_before": LiveBefore.LIVE},
            LaterEvent(LaterKind.CHECKED, ASKED_AT + 7, "unseen"),
            "Accepted",
            "Whether it is off could not be checked 6 s later.",
        ),
        (
            {"live_before": LiveBefore.LIVE},
            LaterEvent(LaterKind.ON_AGAIN, ASKED_AT + 8, "active"),
            "Live again",
            "🔴 *Live again*: its state was `active` 7 s later.",
        ),
        (
            {"live_before": LiveBefore.NOT_LIVE},
            LaterEvent(LaterKind.ON_AGAIN, AT, "active"),
            "Live",
            f"🔴 *Live*: its state was `active` {WHEN}.",
        ),
        (
            {"api": "ForbidLiveDomain"},
            LaterEvent(LaterKind.ON_AGAIN, AT, "enabled"),
            "On again",
            f"🔴 *On again*: its state was `enabled` {WHEN}.",
        ),
        (
            {"api": "StopLivePadStream"},
            LaterEvent(LaterKind.ON_AGAIN, AT, "on"),
            "On again",
            f"🔴 *On again*: its state was `on` {WHEN}.",
        ),
        (
            BANNED,
            LaterEvent(LaterKind.EXTENDED, AT, by="U0BOB", until=UNTIL),
            "Extended",
            f"Extended by <@U0BOB> {WHEN}, until {END}.",
        ),
        (
            BANNED,
            LaterEvent(LaterKind.STOPPED_AGAIN, AT, by="U0BOB"),
            "Accepted",
            f"Stopped again by <@U0BOB> {WHEN}.",
        ),
        (
            BANNED,
            LaterEvent(LaterKind.UNDONE, AT, by="U0BOB"),
            "Lifted",
            f"Lifted by <@U0BOB> {WHEN}.",
        ),
        (
            {"api": "ForbidLiveDomain"},
            LaterEvent(LaterKind.UNDONE, AT, by="U0BOB"),
            "Undone",
            f"Undone by <@U0BOB> {WHEN}.",
        ),
        (
            BANNED,
            LaterEvent(LaterKind.ENDED, AT, "inactive"),
            "Ended",
            f"It ended by itself {WHEN}; its state was `inactive` then.",
        ),
        (
            BANNED,
            LaterEvent(LaterKind.STILL_OFF, AT, "forbid"),
            "Still off",
            f"Its time was over {WHEN}, and it was off all the same: its state was `forbid`.",
        ),
        (
            BANNED,
            LaterEvent(LaterKind.STILL_OFF, AT),
            "Accepted",
            f"Its time was over {WHEN}; whether it is still off could not be read.",
        ),
    ],
)
async def test_card_is_edited_with_what_happened_later(
    office: Office, given: dict[str, Any], event: LaterEvent, label: str, said: str
) -> None:
    """The card that was posted is edited; its text and its blocks say what happened later."""
    sent = await office.desk.deliver(delivery(OPERATION))
    assert isinstance(sent, Sent)
    posted = replace(
        ACCEPTED, card_channel=sent.channel, card_ts=sent.ts, ended_at=ASKED_AT + 1, later=event
    )

    assert await office.desk.deliver(delivery(replace(posted, **given))) == sent

    (message,) = office.slack.messages
    assert message["text"].startswith(f"{label}: ")
    assert said in message["text"]
    assert f"*{label}:*" in str(message["blocks"])
    assert said in str(message["blocks"])


async def test_card_escapes_the_state_that_was_read_later(office: Office) -> None:
    """A state is foreign text: it can mention nobody."""
    event = LaterEvent(LaterKind.ON_AGAIN, AT, "<!channel>")

    await office.desk.deliver(delivery(replace(OPERATION, later=event)))

    assert "<!channel>" not in str(office.slack.messages)
