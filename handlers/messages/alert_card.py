"""The card of an alert: what fires, the streams that it names, a button for each; pure."""

from collections.abc import Sequence

from bot.model.alerts import MODERATION, Alert
from bot.operations.alert_offers import AlertChoice, StreamOffer
from bot.redact import redact
from handlers.messages import moderation_text
from handlers.messages.blocks import TEXT_MOST, Block, Message, context, plain, section
from handlers.messages.looks import Look
from handlers.messages.mrkdwn import code, escape, format_clock, link, plain_text, truncate
from handlers.messages.wording import span_text

ALERT = "alert"
"""Prefix of the action_id of a button on an alert's card, before its choice and the stream's
position; its value is the alert's id."""

PICK = "alert-pick"
"""The action_id of the list of further streams; the value of an option is the alert's id and the
stream's position."""

_SHOWN, _LISTED = 5, 5
"""Streams with buttons of their own, and alerts of a group that are named."""

_SOURCES = {
    "alertmanager": "Alertmanager",
    "pagerduty": "PagerDuty",
    MODERATION: "Tencent Cloud's moderation",
}


def alert_card(alert: Alert, offers: Sequence[StreamOffer]) -> Message:
    """Render the card of an alert as it is now.

    Args:
        offers: What may be done, for each stream whose alerts still fire.
    """
    lines = [_head(alert), escape(alert.summary, 500), *_group_lines(alert)]
    lines += moderation_text.lines(alert)
    body, small = "\n".join(filter(None, lines)), _origin(alert)
    streams = _streams_text(alert, offers)
    shown, others = offers[:_SHOWN], offers[_SHOWN:]
    blocks = [section("\n".join(filter(None, [body, streams])))]
    blocks += [_stream_buttons(alert, one, alone=len(offers) == 1) for one in shown if one.choices]
    blocks += _picker(alert, [one for one in others if AlertChoice.STOP in one.choices])
    blocks += moderation_text.buttons(alert)
    text = "\n".join(filter(None, [body, streams, small]))
    return Message(truncate(text, TEXT_MOST), (*blocks, context(small)))


def _head(alert: Alert) -> str:
    if dismissed := moderation_text.dismissed_head(alert):
        return dismissed
    title = escape(alert.title, 200) or "without a name"
    if alert.resolved_at is not None:
        lasted = span_text(alert.resolved_at - alert.opened_at)
        return f"{Look.RESOLVED.says(title)} · after {lasted}"
    severity = f" · {escape(alert.severity, 40)}" if alert.severity else ""
    return f"{Look.ALERT.says(title)}{severity}"


def _group_lines(alert: Alert) -> list[str]:
    """Name the alerts of a group that fire, where there are several."""
    if len(alert.items) == 1 or alert.resolved_at is not None:
        return []
    firing = alert.firing
    over = len(alert.items) - len(firing)
    counts = f"{len(firing)} firing" + (f", {over} resolved" if over else "")
    titles = [title for one in firing if (title := escape(one.title, 200))]
    named = [f"• {title}" for title in dict.fromkeys(titles)]
    more = [f"• and {len(named) - _LISTED} more"] if len(named) > _LISTED else []
    return [f"{counts}:", *named[:_LISTED], *more] if len(named) > 1 else [f"{counts}."]


def _streams_text(alert: Alert, offers: Sequence[StreamOffer]) -> str:
    if alert.resolved_at is not None:
        return ""
    if not offers:
        return "It names no stream. To stop one: `/stopstream live STREAM`"
    named = ", ".join(map(_named, offers[:_SHOWN]))
    more = f" and {len(offers) - _SHOWN} more" if len(offers) > _SHOWN else ""
    begin = "Stream" if len(offers) == 1 else "Streams"
    lacking = "" if any(one.choices for one in offers) else ". Nobody can stop it from here."
    return f"{begin}: {named}{more}{lacking}"


def _named(offer: StreamOffer) -> str:
    domain = offer.stream.params.get("DomainName", "")
    return code(redact(offer.name), 80) + (f" on {code(redact(domain), 80)}" if domain else "")


def _origin(alert: Alert) -> str:
    source = _SOURCES.get(alert.source, "Alert")
    parts = (f"{source} {format_clock(alert.opened_at)}", link(alert.link, "open"))
    return " · ".join(filter(None, parts))


def _stream_buttons(alert: Alert, offer: StreamOffer, *, alone: bool) -> Block:
    name = plain_text(code(redact(offer.name), 40))
    return {
        "type": "actions",
        "block_id": f"{ALERT}:{alert.id}:{offer.position}",
        "elements": [
            _button(alert, offer, one, f"{_label(one)}{'' if alone else f' {name}'}", name)
            for one in offer.choices
        ],
    }


def _label(choice: AlertChoice) -> str:
    return f"Ban {span_text(choice.seconds)}" if choice.seconds else "Stop"


def _button(alert: Alert, offer: StreamOffer, choice: AlertChoice, label: str, name: str) -> Block:
    return {
        "type": "button",
        "action_id": f"{ALERT}:{choice.value}:{offer.position}",
        "value": alert.id,
        "text": plain(label, 75),
        "accessibility_label": truncate(f"{_label(choice)} {name}", 70),
    }


def _picker(alert: Alert, others: Sequence[StreamOffer]) -> list[Block]:
    """Return a list in which a further stream is chosen, and asked about once more."""
    if not others:
        return []
    options = [
        {
            "text": plain(plain_text(code(redact(one.name), 70)), 75),
            "value": f"{alert.id}:{one.position}",
        }
        for one in others
    ]
    asks = {
        "title": plain("Stop this stream?", 100),
        "text": plain("The stream that you chose in the list is cut."),
        "confirm": plain("Stop", 30),
        "deny": plain("Cancel", 30),
    }
    select = {
        "type": "static_select",
        "action_id": PICK,
        "placeholder": plain("Stop another stream…", 150),
        "options": options,
        "confirm": asks,
    }
    return [{"type": "actions", "block_id": f"{PICK}:{alert.id}", "elements": [select]}]
