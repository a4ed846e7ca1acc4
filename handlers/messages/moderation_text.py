"""What the card of flagged content says besides an alert's: its picture and a false alarm; pure."""

from bot.model.alerts import MODERATION, Alert
from bot.redact import redact
from handlers.messages.blocks import Block, plain
from handlers.messages.looks import Look
from handlers.messages.mrkdwn import code, escape, format_clock, user

FALSE_ALARM, PICTURE = "moderation:false-alarm", "moderation:picture"
"""The action_ids of the buttons; their value is the alert's id."""


def dismissed_head(alert: Alert) -> str:
    """Describe that somebody has called it a false alarm; empty if nobody has."""
    if alert.resolved_at is None or not alert.dismissed_by:
        return ""
    title, at = escape(alert.title, 200), format_clock(alert.resolved_at)
    names = [next(iter(one.params.values()), "") for one in alert.streams[:1]]
    of = "".join(f" of {code(redact(name), 80)}" for name in names)
    return f"{Look.FALSE_ALARM.says(title)}{of} · {user(alert.dismissed_by)} {at}"


def lines(alert: Alert) -> list[str]:
    """Describe since when the stream is live, as it was read, and what is not shown."""
    if alert.source != MODERATION or alert.resolved_at is not None:
        return []
    since = f"Live since {format_clock(alert.live_since)}." if alert.live_since else ""
    held = "The picture is hidden here." if alert.picture else ""
    return [" ".join(filter(None, (since, held)))]


def buttons(alert: Alert) -> list[Block]:
    """Return the buttons of flagged content; none once it is over, or of any other alert."""
    if alert.source != MODERATION or alert.resolved_at is not None:
        return []
    shown = [(PICTURE, "Show picture to me")] if alert.picture else []
    elements = [
        {"type": "button", "action_id": action, "value": alert.id, "text": plain(label, 75)}
        for action, label in [*shown, (FALSE_ALARM, "False alarm")]
    ]
    return [{"type": "actions", "block_id": f"moderation:{alert.id}", "elements": elements}]
