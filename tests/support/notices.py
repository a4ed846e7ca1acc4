"""Notices as monitoring systems send them."""

import hashlib
import hmac
import json
import time
from typing import Any

from bot.hooks import alertmanager, generic
from bot.model.alerts import Notice

SINCE = 1_800_000_000.0


def stamp(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def firing(name: str, *, at: float = SINCE, over: bool = False, **labels: str) -> dict[str, Any]:
    """Return one alert of Alertmanager's, about a stream unless labels say otherwise."""
    named = {"alertname": "BitrateLow", "severity": "critical", **(labels or {"stream": name})}
    return {
        "status": "resolved" if over else "firing",
        "labels": named,
        "annotations": {"summary": f"The bitrate of {name} is low"},
        "startsAt": stamp(at),
        "endsAt": stamp(at + 60) if over else "0001-01-01T00:00:00Z",
        "generatorURL": "https://prometheus.example.com/graph?g0.expr=x",
        "fingerprint": hashlib.sha256(name.encode()).hexdigest()[:16],
    }


def group(*alerts: dict[str, Any], key: str = '{}:{alertname="BitrateLow"}') -> dict[str, Any]:
    """Return the body of a webhook of Alertmanager's."""
    resolved = all(one["status"] == "resolved" for one in alerts)
    return {
        "version": "4",
        "groupKey": key,
        "truncatedAlerts": 0,
        "status": "resolved" if resolved else "firing",
        "receiver": "stopstream",
        "groupLabels": {"alertname": "BitrateLow"},
        "commonLabels": {"alertname": "BitrateLow", "severity": "critical"},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "alerts": list(alerts),
    }


def notice(*alerts: dict[str, Any], **more: Any) -> Notice:
    """Return the same as it is read."""
    return alertmanager.parse(group(*alerts, **more), SINCE)


def incident(status: str = "triggered", at: float = SINCE, **data: Any) -> dict[str, Any]:
    """Return the body of a webhook of PagerDuty's (v3)."""
    return {
        "event": {
            "id": "01BV5BU2UHZ2PWYBY40TGSTV2X",
            "event_type": f"incident.{status}",
            "resource_type": "incident",
            "occurred_at": stamp(at),
            "agent": None,
            "client": None,
            "data": {
                "id": "PGR0VU2",
                "type": "incident",
                "self": "https://api.pagerduty.com/incidents/PGR0VU2",
                "html_url": "https://acme.pagerduty.com/incidents/PGR0VU2",
                "number": 2,
                "status": status,
                "incident_key": "d3640fbd41094207a1c11e58e46b1662",
                "title": "Bitrate of stream cam-1 is low",
                "service": {"type": "service_reference", "summary": "Live ingest"},
                "urgency": "high",
                "priority": None,
                **data,
            },
        }
    }


def pagerduty_signature(body: bytes, secret: str) -> str:
    return "v1=" + hmac.digest(secret.encode(), body, "sha256").hex()


def signed_generic(body: dict[str, Any], secret: str, at: float) -> tuple[bytes, dict[str, str]]:
    """Return a body and headers of the bot's own form."""
    raw, stamped = json.dumps(body).encode(), str(int(at))
    signature = hmac.digest(secret.encode(), b"v1:" + stamped.encode() + b":" + raw, "sha256")
    return raw, {
        generic.TIMESTAMP: stamped,
        generic.SIGNATURE: f"v1={signature.hex()}",
        "Content-Type": "application/json",
    }
