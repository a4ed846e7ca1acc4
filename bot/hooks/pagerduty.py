"""PagerDuty's webhooks (version 3): events of incidents, signed; pure.

Source: https://developer.pagerduty.com/docs/webhooks-overview and, of the signature,
https://developer.pagerduty.com/docs/verifying-webhook-signatures
"""

from collections.abc import Mapping
from typing import Any

from bot.hooks.bounded_json import MalformedError
from bot.hooks.fields import (
    KEY_MOST,
    SEVERITY_MOST,
    SUMMARY_MOST,
    TITLE_MOST,
    link_at,
    object_at,
    text_at,
    time_at,
)
from bot.model.alerts import Notice, NoticeItem

NAME = "pagerduty"
SIGNATURE = "x-pagerduty-signature"


def parse(body: Mapping[str, Any], at: float) -> Notice | None:
    """Return what an event says of its incident; None if it is about anything else.

    Args:
        at: When it came, for events that do not say when they occurred.

    Raises:
        MalformedError: It is of another form.
    """
    event = object_at(body, "event")
    kind, incident = text_at(event, "event_type"), object_at(event, "data")
    if not kind:
        raise MalformedError("it has no event with an event_type")
    if text_at(incident, "type") != "incident" or not kind.startswith("incident."):
        # A test of the subscription (`pagey.ping`), a note, a responder.
        return None
    id_ = text_at(incident, "id", most=KEY_MOST)
    if not id_:
        raise MalformedError("its incident has no id")
    title = text_at(incident, "title")
    service = text_at(incident, "service", "summary", most=TITLE_MOST)
    texts = title, service, text_at(incident, "incident_key", most=KEY_MOST)
    firing = text_at(incident, "status") != "resolved" and kind != "incident.resolved"
    occurred_at = time_at(event, "occurred_at")
    item = NoticeItem(
        id_,
        occurred_at or at,
        firing,
        title=title[:TITLE_MOST],
        text="\n".join(filter(None, texts)),
        is_timed=occurred_at is not None,
    )
    severity = text_at(incident, "priority", "summary") or text_at(incident, "urgency")
    return Notice(
        NAME,
        id_,
        (item,),
        title=title[:TITLE_MOST],
        summary=service[:SUMMARY_MOST],
        severity=severity[:SEVERITY_MOST],
        link=link_at(incident, "html_url"),
    )
