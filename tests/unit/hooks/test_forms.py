"""What Alertmanager, PagerDuty and the bot's own form say, whatever is sent."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.hooks import alertmanager, generic, pagerduty
from bot.hooks.bounded_json import MalformedError
from bot.hooks.exchange import HookRequest
from bot.hooks.fields import ITEMS_MOST, TEXT_MOST
from bot.model.alerts import NamedStream
from tests.support.notices import SINCE, firing, group, incident, signed_generic

SECRET = "a-secret-of-the-tests"


def test_alertmanager_group_is_read() -> None:
    """Title, severity, link and each alert with its fingerprint, its beginning and its labels."""
    read = alertmanager.parse(group(firing("cam-1"), firing("cam-2", over=True)), 0.0)

    assert (read.title, read.severity) == ("BitrateLow", "critical")
    assert read.summary == "The bitrate of cam-1 is low"
    assert read.link.startswith("https://prometheus.example.com/")
    assert [(one.firing, one.at) for one in read.items] == [(True, SINCE), (False, SINCE)]
    assert "stream: cam-1" in read.items[0].text


def test_alertmanager_groups_are_told_apart_by_key_and_receiver() -> None:
    """The same group for another receiver is another card."""
    first = alertmanager.parse(group(firing("cam-1")), 0.0)
    other = alertmanager.parse(group(firing("cam-1")) | {"receiver": "other"}, 0.0)
    assert first.group != other.group


def test_grafana_group_is_read() -> None:
    """Grafana's alerting sends the same form, with a title and times of fractions of a second."""
    alert = firing("cam-1") | {
        "startsAt": "2027-01-15T08:00:00.123456789+01:00",
        "generatorURL": "https://grafana.example.com/alerting/1",
        "dashboardURL": "https://grafana.example.com/d/1",
        "values": {"B": 22},
    }
    alert["labels"].pop("alertname")
    body: dict[str, Any] = group(alert)
    body |= {"title": "[FIRING:1] ingest", "orgId": 1, "state": "alerting"}
    body["commonLabels"] = {}
    read = alertmanager.parse(body, 0.0)
    assert read.title == "[FIRING:1] ingest"
    assert read.link == "https://grafana.example.com/d/1"
    assert read.items[0].at == pytest.approx(SINCE - 3600 + 0.123456)


@pytest.mark.parametrize(
    "body",
    [{}, {"alerts": []}, {"groupKey": "x"}, {"groupKey": "x", "alerts": {}}, {"groupKey": 1}],
)
def test_alertmanager_form_is_refused(body: dict[str, Any]) -> None:
    """Without a group key and alerts there is nothing to show."""
    with pytest.raises(MalformedError):
        alertmanager.parse(body, 0.0)


def test_pagerduty_incident_is_read() -> None:
    """An event changes its incident, by the time at which it occurred."""
    read = pagerduty.parse(incident(), 0.0)
    assert read is not None
    assert (read.group, read.title) == ("PGR0VU2", "Bitrate of stream cam-1 is low")
    assert (read.severity, read.summary) == ("high", "Live ingest")
    assert read.link == "https://acme.pagerduty.com/incidents/PGR0VU2"
    (item,) = read.items
    assert (item.firing, item.at) == (True, SINCE)
    over = pagerduty.parse(incident("resolved"), 0.0)
    assert over is not None
    assert not over.items[0].firing


def test_pagerduty_event_about_anything_else_is_left() -> None:
    """The test of a subscription and events of services are taken, and show nothing."""
    ping = {"event": {"event_type": "pagey.ping", "data": {"message": "Hello", "type": "ping"}}}
    service = {"event": {"event_type": "service.created", "data": {"type": "service", "id": "P"}}}
    assert pagerduty.parse(ping, 0.0) is None
    assert pagerduty.parse(service, 0.0) is None
    malformed: list[dict[str, Any]] = [{}, {"event": {}}, {"event": []}]
    for body in malformed:
        with pytest.raises(MalformedError):
            pagerduty.parse(body, 0.0)


def test_generic_alert_is_read() -> None:
    """The bot's own form names streams as such, or in its texts and labels."""
    body = {
        "id": "probe-7",
        "title": "Black picture",
        "severity": "high",
        "text": "for 30 s",
        "url": "https://probe.example.com/7",
        "labels": {"stream": "cam-2"},
        "streams": ["cam-1", {"stream": "cam-3", "domain": "push.example.com", "app": "live"}],
        "at": SINCE,
    }
    read = generic.parse(body, 0.0)
    (item,) = read.items
    assert (item.at, item.firing, read.severity) == (SINCE, True, "high")
    assert item.streams == (
        NamedStream("DropLiveStream", {"StreamName": "cam-1"}),
        NamedStream(
            "DropLiveStream",
            {"StreamName": "cam-3", "DomainName": "push.example.com", "AppName": "live"},
        ),
    )
    assert "stream: cam-2" in item.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": ""},
        {"title": None},
        {"status": "over"},
        {"status": ["firing"]},
        {"streams": "cam-1"},
        {"streams": [""]},
        {"streams": [{"domain": "push.example.com"}]},
        {"streams": ["x" * 201]},
        {"at": "foo"},
        {"at": -1},
        {"at": True},
        {"at": ["2026-11-27T02:00:00Z"]},
        {"labels": [1]},
        {"labels": []},
        {"labels": "stream=cam-1"},
        {"text": ["cam-1"]},
        {"severity": 3},
        {"url": {}},
    ],
)
def test_generic_form_is_refused(wrong: dict[str, Any]) -> None:
    """What it gets wrong is told, and is not guessed."""
    with pytest.raises(MalformedError):
        generic.parse({"id": "a", "title": "b", **wrong}, 0.0)


def test_generic_form_takes_null_as_left_out() -> None:
    """Templates render what they do not know as null or as nothing."""
    absent = dict.fromkeys(("text", "severity", "url", "labels", "streams", "at"))
    (item,) = generic.parse({"id": "a", "title": "b", **absent}, SINCE).items
    assert (item.at, item.is_timed) == (SINCE, False)
    (item,) = generic.parse({"id": "a", "title": "b", "at": ""}, SINCE).items
    assert (item.at, item.is_timed) == (SINCE, False)


def test_generic_alert_without_a_time_has_that_of_its_signature() -> None:
    """A repeated request says the same time, and so nothing new."""
    raw, headers = signed_generic({"id": "a", "title": "b"}, SECRET, SINCE)
    given = {name.casefold(): value for name, value in headers.items()}
    request = HookRequest(given, raw, SINCE + 200)
    assert generic.check(request, (SECRET,)) is None
    assert generic.sent_at(request) == SINCE
    assert generic.sent_at(HookRequest({}, raw, SINCE + 200)) == SINCE + 200


def test_bounds_hold() -> None:
    """However much a notice says, so much of it is read."""
    many = [firing(f"cam-{number}") for number in range(ITEMS_MOST + 50)]
    many[0]["labels"] |= {f"label{n}": "x" * 5000 for n in range(100)}
    read = alertmanager.parse(group(*many), 0.0)
    assert len(read.items) == ITEMS_MOST
    assert all(len(one.text) <= TEXT_MOST for one in read.items)


_json = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                (
                    *("groupKey", "alerts", "labels", "annotations", "status", "startsAt", "event"),
                    *(
                        "event_type",
                        "data",
                        "type",
                        "id",
                        "title",
                        "streams",
                        "stream",
                        "at",
                        "service",
                    ),
                )
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(("groupKey", "alerts", "event", "id", "title")), _json))
def test_any_json_is_read_or_refused(body: dict[str, Any]) -> None:
    """Nothing but MalformedError is raised, whatever the shape."""
    for parse in (alertmanager.parse, pagerduty.parse, generic.parse):
        with contextlib.suppress(MalformedError):
            parse(body, 0.0)
