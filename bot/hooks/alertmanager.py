"""The webhook of Prometheus Alertmanager (version 4), which Grafana's alerting shares; pure.

Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from bot.hooks.bounded_json import MalformedError
from bot.hooks.fields import (
    KEY_MOST,
    SEVERITY_MOST,
    SUMMARY_MOST,
    TEXT_MOST,
    TITLE_MOST,
    lines_of,
    link_at,
    object_at,
    objects_at,
    text_at,
    time_at,
)
from bot.model.alerts import Notice, NoticeItem

NAME = "alertmanager"

_SUMMARIES = ("summary", "description", "message")
_SEVERITIES = ("severity", "priority", "level")


def parse(body: Mapping[str, Any], at: float) -> Notice:
    """Return what a group's notice says.

    Args:
        at: When it came, for alerts that do not say since when they fire.

    Raises:
        MalformedError: It is of another form.
    """
    group = text_at(body, "groupKey", most=KEY_MOST * 10)
    alerts = objects_at(body, "alerts")
    if not group or not alerts:
        raise MalformedError("it has no groupKey or no alerts")
    # One receiver of several may be sent the same group.
    whole = json.dumps([group, text_at(body, "receiver", most=KEY_MOST)])
    first = next((one for one in alerts if _fires(one)), alerts[0])
    return Notice(
        NAME,
        whole,
        tuple(_item(one, at) for one in alerts),
        title=_title(body, first),
        summary=_named(first, "annotations", _SUMMARIES, SUMMARY_MOST),
        severity=_named(first, "labels", _SEVERITIES, SEVERITY_MOST),
        link=_link(first),
    )


def _item(alert: Mapping[str, Any], at: float) -> NoticeItem:
    labels, annotations = object_at(alert, "labels"), object_at(alert, "annotations")
    # Labels first: a name in them is a name.
    text = "\n".join([*lines_of(labels), *lines_of(annotations)])[:TEXT_MOST]
    since = time_at(alert, "startsAt")
    return NoticeItem(
        text_at(alert, "fingerprint", most=KEY_MOST) or _fingerprint(labels),
        since or at,
        _fires(alert),
        is_timed=since is not None,
        title=_named(alert, "annotations", _SUMMARIES, TITLE_MOST)
        or text_at(labels, "alertname", most=TITLE_MOST),
        text=text,
    )


def _fires(alert: Mapping[str, Any]) -> bool:
    return text_at(alert, "status") != "resolved"


def _fingerprint(labels: Mapping[str, Any]) -> str:
    """Return what identifies an alert whose sender gives it no fingerprint."""
    return hashlib.sha256(json.dumps(labels, sort_keys=True).encode()).hexdigest()[:32]


def _title(body: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    name = text_at(body, "commonLabels", "alertname") or text_at(first, "labels", "alertname")
    # Grafana writes a title with its counts, which the card has, too.
    return (name or text_at(body, "title"))[:TITLE_MOST]


def _named(alert: Mapping[str, Any], under: str, names: tuple[str, ...], most: int) -> str:
    return next(filter(None, (text_at(alert, under, name, most=most) for name in names)), "")


def _link(alert: Mapping[str, Any]) -> str:
    ways = (("annotations", "runbook_url"), ("dashboardURL",), ("generatorURL",))
    return next(filter(None, (link_at(alert, *way) for way in ways)), "")
