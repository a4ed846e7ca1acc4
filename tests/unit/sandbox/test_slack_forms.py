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


def menu(**more: Any) -> dict[str, Any]:
    element = {"type": "external_select", "action_id": "menu", **more}
    block = {"type": "input", "block_id": "menu", "label": plain("menu"), "element": element}
    return block | {"optional": True}


async def with_menu(slack: Workspace, client: AsyncWebClient, **more: Any) -> Person:
    trigger = slack.trigger("U0ALICE")
    await client.views_open(trigger_id=trigger, view=form("pick", menu(**more)))
    slack.delivery.options_url = slack.delivery.request_url
    return slack.person("U0ALICE")


def option(text: str = "a", value: str = "1") -> dict[str, Any]:
    return {"text": plain(text), "value": value}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"options": [option()] * 100}, ""),
        ({"options": []}, ""),
        ({"option_groups": [{"label": plain("g"), "options": [option("x" * 75, "v" * 75)]}]}, ""),
        ({"options": [option()] * 101}, INVALID),
        ({"options": [option("x" * 76)]}, INVALID),
        ({"options": [option(value="v" * 76)]}, INVALID),
        ({"options": [{"text": {"type": "mrkdwn", "text": "a"}, "value": "1"}]}, INVALID),
        ({"options": [option() | {"colour": "red"}]}, INVALID),
        ({"options": [option()], "option_groups": []}, INVALID),
        ({"text": "what?"}, INVALID),
        ({}, INVALID),
    ],
)
async def test_menu_takes_the_options_that_slack_takes(
    slack: Workspace, client: AsyncWebClient, app: App, answer: dict[str, Any], error: str
) -> None:
    """Options within Slack's limits are shown, and any other answer is refused as a whole."""
    alice = await with_menu(slack, client, min_query_length=0)
    app.answer = answer

    assert (await alice.suggest("menu")).error == error


async def test_menu_asks_no_sooner_than_enough_is_typed(
    slack: Workspace, client: AsyncWebClient, app: App
) -> None:
    """The app is asked from the third letter on, or from as many as the menu says."""
    app.answer = {"options": [option("found")]}
    alice = await with_menu(slack, client)
    assert (await alice.suggest("menu", "ab")).body == {"options": []}
    assert app.taken == 0
    await alice.pick("menu", "found", "abc")

    values = slack.modals["U0ALICE"]["state"]["values"]
    assert values["menu"]["menu"]["selected_option"] == option("found")


async def test_menu_needs_an_options_url_over_http(
    slack: Workspace, client: AsyncWebClient, app: App
) -> None:
    """Over HTTP, an app whose manifest names no options load URL is not asked."""
    alice = await with_menu(slack, client, min_query_length=0)
    slack.delivery.options_url = ""

    assert (await alice.suggest("menu")).error == "no_options_load_url"
    assert app.taken == 0


@pytest.mark.parametrize("least", [-1, "0", True])
async def test_menu_refuses_a_wrong_length(
    slack: Workspace, client: AsyncWebClient, least: object
) -> None:
    """The least length of a query is a number, 0 or more."""
    view = form("pick", menu(min_query_length=least))
    opened = client.views_open(trigger_id=slack.trigger("U0ALICE"), view=view)
    assert await code(opened) == "invalid_arguments"
