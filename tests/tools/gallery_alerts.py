"""The cards of alerts."""

from collections.abc import Iterator
from dataclasses import replace

from bot.model.alerts import MODERATION, Alert, AlertItem, NamedStream, dismissed
from bot.operations.alert_offers import AlertChoice, StreamOffer
from handlers.messages.alert_card import alert_card
from tests.tools.gallery_operations import AT, BOB, Entry

_CHANNEL = "To the channel: the card"
_ALL = tuple(AlertChoice)


def _named(count: int) -> tuple[NamedStream, ...]:
    return tuple(NamedStream("DropLiveStream", {"StreamName": f"cam-{n}"}) for n in range(count))


ALERT = Alert(
    id="w5akwi4hgk42u7bj",
    source="alertmanager",
    group="0" * 32,
    channel="C0INC",
    opened_at=AT,
    seen_at=AT,
    title="BitrateLow",
    summary="The bitrate of cam-0 is below 300 kbit/s",
    severity="critical",
    link="https://prometheus.example.com/graph",
    items=(AlertItem("a", AT, firing=True, title="cam-0 is low", streams=(0,)),),
    streams=_named(1),
    seq=1,
)
GROUP = replace(
    ALERT,
    items=tuple(
        AlertItem(str(n), AT, firing=n > 0, title=f"cam-{n} is low", streams=(n,))
        for n in range(14)
    ),
    streams=_named(14),
)


FLAGGED = replace(
    ALERT,
    source=MODERATION,
    title="Suggestive content in the picture",
    summary="Score 92 of 100",
    severity="Tencent suggests a review",
    link="",
    items=(
        AlertItem(
            "picture",
            AT,
            firing=True,
            streams=(0,),
            picture="https://bucket.cos.ap-singapore.myqcloud.com/1.jpg",
            live_since=AT - 900,
        ),
    ),
)


def offers(alert: Alert, choices: tuple[AlertChoice, ...] = _ALL) -> tuple[StreamOffer, ...]:
    """Return the same choices for each stream whose alerts fire."""
    return tuple(StreamOffer(at, alert.streams[at], choices) for at in alert.live_streams)


def entries() -> Iterator[Entry]:
    """Yield what becomes of an alert."""
    flow = "An alert of a monitoring system"
    nameless = replace(ALERT, items=(replace(ALERT.items[0], streams=()),), streams=())
    shown = {
        "one stream": alert_card(ALERT, offers(ALERT)),
        "a group": alert_card(GROUP, offers(GROUP, (AlertChoice.STOP,))),
        "no stream in it": alert_card(nameless, ()),
        "nobody may stop it here": alert_card(ALERT, offers(ALERT, ())),
        "over": alert_card(replace(ALERT, resolved_at=AT + 754, items=()), ()),
    }
    flagged = {
        "flagged by content moderation": alert_card(FLAGGED, offers(FLAGGED)),
        "flagged, and called a false alarm": alert_card(dismissed(FLAGGED, BOB, AT + 60), ()),
    }
    for title, message in (shown | flagged).items():
        yield Entry(flow, title, _CHANNEL, message)
