"""The forms of the emulated workspace: what Slack asks of people, and takes from the app."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack.person import Person
from bot.sandbox.slack.submissions import INVALID, REQUIRED, close_view
from bot.sandbox.slack.workspace import Workspace
from tests.unit.sandbox.conftest import code


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def field(block_id: str, **more: Any) -> dict[str, Any]:
    element = {"type": "plain_text_input", "action_id": "value", **more}
    return {"type": "input", "block_id": block_id, "label": plain(block_id), "element": element}


def form(title: str, *blocks: dict[str, Any], **more: Any) -> dict[str, Any]:
    view = {"type": "modal", "title": plain(title), "submit": plain("Go"), "blocks": list(blocks)}
    return view | more


class App:
    """Answers submissions with what it is told to."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] = {}
        self.taken = 0

    async def take(self, _request: web.Request) -> web.Response:
        self.taken += 1
        return web.json_response(self.answer) if self.answer else web.Response()


@pytest.fixture
async def app(slack: Workspace) -> AsyncIterator[App]:
    taking, server = App(), web.Application()
    server.router.add_post("/", taking.take)
    runner = web.AppRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack.delivery.request_url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield taking
    await runner.cleanup()


@pytest.fixture
async def alice(slack: Workspace, client: AsyncWebClient) -> Person:
    view = form("first", field("name"), field("note") | {"optional": True})
    await client.views_open(trigger_id=slack.trigger("U0ALICE"), view=view)
    return slack.person("U0ALICE")


def title(slack: Workspace) -> str:
    return str(slack.modals["U0ALICE"]["title"]["text"]) if slack.modals else ""


async def test_form_needs_its_required_inputs(slack: Workspace, app: App, alice: Person) -> None:
    """A form with an empty required input stays open, and the app hears nothing."""
    ack = await alice.submit()

    assert ack.body == {"response_action": "errors", "errors": {"name": REQUIRED}}
    assert (title(slack), app.taken) == ("first", 0)
    alice.fill("name", "x")
    assert not (await alice.submit()).body
    assert (title(slack), app.taken) == ("", 1)


@pytest.mark.parametrize(
    ("answer", "shown", "beneath", "error"),
    [
        ({}, "", [], ""),
        ({"response_action": "clear"}, "", [], ""),
        ({"response_action": "errors", "errors": {"name": "no"}}, "first", [], ""),
        ({"response_action": "errors", "errors": {"other": "no"}}, "first", [], INVALID),
        ({"response_action": "errors", "errors": {}}, "first", [], INVALID),
        ({"response_action": "update", "view": form("second", field("b"))}, "second", [], ""),
        ({"response_action": "push", "view": form("second", field("b"))}, "second", ["first"], ""),
        ({"response_action": "update", "view": {"type": "modal"}}, "first", [], INVALID),
        ({"response_action": "push", "view": form("x" * 25, field("b"))}, "first", [], INVALID),
        ({"response_action": "update"}, "first", [], INVALID),
        ({"response_action": "close"}, "first", [], INVALID),
    ],
)
async def test_form_does_what_the_app_answers(
    slack: Workspace,
    app: App,
    alice: Person,
    answer: dict[str, Any],
    shown: str,
    beneath: list[str],
    error: str,
) -> None:
    """A submission closes, clears, updates or pushes; an answer that Slack cannot use does not."""
    app.answer = answer
    alice.fill("name", "x")

    ack = await alice.submit()

    assert ack.error == error
    assert title(slack) == shown
    under = [view["title"]["text"] for view in slack.beneath.get("U0ALICE", [])]
    assert under == beneath


async def test_form_that_is_updated_keeps_what_was_typed(
    slack: Workspace, app: App, alice: Person
) -> None:
    """An update keeps the form's id and the values of equal fields, and has another hash."""
    before = dict(slack.modals["U0ALICE"])
    app.answer = {"response_action": "update", "view": form("second", field("name"))}
    alice.fill("name", "typed")

    await alice.submit()

    after = slack.modals["U0ALICE"]
    assert after["id"] == before["id"]
    assert after["hash"] != before["hash"]
    assert after["state"]["values"]["name"]["value"]["value"] == "typed"


async def test_forms_stack_three_high(
    slack: Workspace, client: AsyncWebClient, alice: Person
) -> None:
    """views.push shows a form on top of others, of which there are three at most."""

    async def push(name: str) -> str:
        trigger, view = slack.trigger("U0ALICE"), form(name, field("b"))
        return await code(client.views_push(trigger_id=trigger, view=view))

    first = (await alice.modal())["id"]
    assert [await push("second"), await push("third"), await push("fourth")] == [
        "",
        "",
        "push_limit_reached",
    ]
    renamed = form("renamed", field("name"))
    assert await code(client.views_update(view_id=first, view=renamed)) == ""
    seen = []
    while slack.modals:
        seen.append(title(slack))
        close_view(slack, "U0ALICE")
    assert seen == ["third", "second", "renamed"]
    assert await code(client.views_update(view_id=first, view=renamed)) == "not_found"
