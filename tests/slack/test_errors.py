"""What Slack never sends: bad signatures, malformed bodies, and errors inside the bot."""

import json
import logging
import threading
import time
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from bot.metrics import Metrics
from bot.off_loop import AT_ONCE
from handlers.messages import reason_view, views
from handlers.slack.http_receiver import MAX_BODY, PATH, receiver
from tests.support.slack_app import Workspace


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"at": "abc"}, 401),
        ({"at": "1e9"}, 401),
        ({"at": "9" * 5000}, 401),
        ({"at": ""}, 401),
        ({"at": str(int(time.time()) - 400)}, 401),
        ({"X-Slack-Signature": "v0=wrong"}, 401),
        ({"X-Slack-Signature": "v0=ü"}, 401),
        ({"X-Slack-Signature": ""}, 401),
    ],
)
async def test_receiver_rejects_invalid_signature(
    workspace: Workspace, headers: dict[str, str], status: int
) -> None:
    """A request with an invalid signature or timestamp is rejected and stores nothing."""
    given = {"command": "/stopstream", "text": "live stream1", "trigger_id": "t"}

    assert (await workspace.send(urlencode(given), **headers))[0] == status
    assert await workspace.house.service.queries.recent(None) == []


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("{", "application/json"),
        ("[1]", "application/json"),
        ("null", "application/json"),
        ("[" * 100_000, "application/json"),
        ('{"event": "x"}', "application/json"),
        ('{"authorizations": [1], "event": {}}', "application/json"),
        ('{"type": "event_callback", "event": {}}', "application/json"),
        ('{"type": "view_submission", "view": null}', "application/json"),
        ('{"command": {"a": 1}}', "application/json"),
        ("payload={", "application/x-www-form-urlencoded"),
        ("payload=[]", "application/x-www-form-urlencoded"),
        (
            urlencode({"payload": '{"type": "block_actions", "actions": "x"}'}),
            "application/x-www-form-urlencoded",
        ),
    ],
)
async def test_receiver_rejects_malformed_body(
    workspace: Workspace, body: str, content_type: str
) -> None:
    """A malformed body is rejected with status 400 and a one-line answer."""
    status, answer = await workspace.send(body, content_type)

    assert status == 400
    assert answer.count("\n") == 1


async def test_receiver_rejects_undecodable_body(workspace: Workspace) -> None:
    """A body that is not valid UTF-8 is rejected with status 401."""
    assert (await workspace.send(b"\xff\xfe"))[0] == 401


@pytest.mark.parametrize(("size", "beside"), [(100, False), (AT_ONCE + 1, True)])
async def test_large_body_is_parsed_beside_the_loop(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, size: int, beside: bool
) -> None:
    """What takes long to parse keeps no ack waiting; a command waits for no thread."""
    threads: list[int] = []

    def parse(text: str, **given: Any) -> list[tuple[str, str]]:
        threads.append(threading.get_ident())
        return parse_qsl(text, **given)

    monkeypatch.setattr("handlers.slack.http_receiver.parse_qsl", parse)
    await workspace.command("%" * size)

    assert [one != threading.get_ident() for one in threads] == [beside]


async def test_receiver_rejects_oversized_body(workspace: Workspace) -> None:
    """A body over the size limit is rejected with status 413."""
    assert (await workspace.send("x" * (MAX_BODY + 1)))[0] == 413


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": "event_callback", "event": {}},
        {"type": "event_callback", "event": {"type": "app_mention"}},
        {"type": "event_callback", "event": {"type": "unheard_of"}, "event_id": "Ev1"},
        {"type": "event_callback", "event": {"type": 1}},
        {"type": "block_actions", "actions": []},
        {"type": "block_actions", "actions": [{}]},
        {"type": "block_actions", "actions": [{"action_id": 1}], "user": None},
        {"type": "view_submission", "view": {"callback_id": "unheard-of"}},
        {"type": "view_submission", "view": None},
        {"type": ["odd"]},
        {"team": {"id": 1}, "user": [], "type": "shortcut", "callback_id": "x"},
        {"command": {"a": 1}},
        {"command": "/stopstream", "trigger_id": ["x"], "user_id": 5},
    ],
)
async def test_receiver_survives_unexpected_payloads(
    workspace: Workspace, body: dict[str, Any]
) -> None:
    """An unexpected payload is answered with status 200 or 400 and stores nothing."""
    status, _ = await workspace.send(json.dumps(body), "application/json")

    assert status in (200, 400)
    assert await workspace.house.service.queries.recent(None) == []


async def test_receiver_answers_url_verification(workspace: Workspace) -> None:
    """The URL verification challenge of Slack is answered."""
    body = {"type": "url_verification", "challenge": "abc"}

    status, answer = await workspace.send(json.dumps(body), "application/json")

    assert (status, answer) == (200, {"challenge": "abc"})


async def test_receiver_accepts_only_post(workspace: Workspace) -> None:
    """A GET request is rejected with status 405."""
    async with workspace.http.get(PATH) as answer:
        assert answer.status == 405


def test_receiver_requires_signing_secret() -> None:
    """A receiver cannot be built without a signing secret."""
    with pytest.raises(ValueError, match="signing_secret"):
        receiver(None, signing_secret="", metrics=Metrics())  # type: ignore[arg-type] # it is not asked


async def test_slash_command_reports_internal_error(workspace: Workspace) -> None:
    """An internal error is answered with a fault number and claims no outcome."""
    workspace.house.rules.clear()

    text = await workspace.command("live stream1")

    assert "fault " in text
    assert "If no card appears, nothing was sent" in text


@pytest.mark.parametrize(
    ("view", "block"),
    [
        ({"callback_id": reason_view.REASON}, reason_view.REASON_BLOCK),
        (
            {
                "callback_id": "x",
                "blocks": [
                    {"type": "section", "block_id": "a"},
                    {"type": "input", "block_id": "b"},
                ],
            },
            "b",
        ),
        ({"callback_id": views.FORM}, views.ACTION_BLOCK),
    ],
)
async def test_failing_form_names_a_block_of_its_own(
    workspace: Workspace, view: dict[str, Any], block: str
) -> None:
    """The error of a form that fails is shown at a field that the form has."""
    workspace.house.rules.clear()
    form = {"id": "V1", "type": "modal", "private_metadata": "x", "state": {"values": {}}}
    payload = {
        "type": "view_submission",
        "trigger_id": "t1",
        "user": {"id": "U0ALICE", "team_id": "T0HOME"},
        "team": {"id": "T0HOME"},
        "view": form | view,
    }

    answer = await workspace.interact(payload)

    assert list(answer["errors"]) == [block]


async def test_app_leaves_the_program_its_logs(workspace: Workspace) -> None:
    """Bolt is kept quiet, because it logs payloads, and the program beside it is not."""
    await workspace.command("live stream1")

    assert logging.getLogger("stopstream.bolt").level == logging.ERROR
    assert logging.getLogger("stopstream").level < logging.ERROR
