"""The manifest, held to Slack's schema and to the handlers: nothing missing, nothing more."""

import ast
import contextlib
import json
import logging
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.metrics import Metrics
from bot.supervision import Supervisor
from handlers import app
from handlers.listeners import commands
from handlers.manifest import EVENTS, METHODS, NEEDED
from handlers.slack.background import BackgroundQueue
from handlers.slack.directory import Directory
from handlers.slack.web_client import Identity
from tests.support.paths import ROOT

_HERE = ROOT
_SCHEMA = _HERE.parent / "shared" / "facts" / "slack_manifest_v2.schema.json"


@pytest.fixture
def manifest() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((_HERE / "manifest.yml").read_text())
    return found


def test_manifest_matches_slack_schema(manifest: dict[str, Any]) -> None:
    """The manifest is valid under Slack's published schema."""
    if not _SCHEMA.exists():
        pytest.skip(f"{_SCHEMA.name} is not beside this checkout")
    schema = json.loads(_SCHEMA.read_text())

    problems = list(jsonschema.Draft7Validator(schema).iter_errors(manifest))

    assert problems == []


def test_manifest_commands_match_listeners(manifest: dict[str, Any]) -> None:
    """The manifest's slash commands are those that are answered, all escaped."""
    declared = manifest["features"]["slash_commands"]

    assert {entry["command"] for entry in declared} == set(commands.COMMANDS)
    assert not list(_registered("command")), "another listener takes commands"
    assert all(entry["should_escape"] for entry in declared)


def test_manifest_shortcuts_match_listeners(manifest: dict[str, Any]) -> None:
    """The manifest's shortcuts are those that the listeners register."""
    declared = {entry["callback_id"] for entry in manifest["features"].get("shortcuts", [])}
    found = [
        name
        for sort in ("shortcut", "global_shortcut", "message_shortcut")
        for name in _registered(sort)
    ]

    assert set(found) == declared


def test_manifest_events_match_listeners(manifest: dict[str, Any]) -> None:
    """The manifest's events are those that the listeners register."""
    declared = set(manifest["settings"]["event_subscriptions"]["bot_events"])

    assert declared == set(_registered("event"))
    assert declared == set(EVENTS)


def test_manifest_scopes_match_needed_scopes(
    manifest: dict[str, Any],
) -> None:
    """The manifest requests exactly the needed scopes, sorted and without duplicates."""
    asked = manifest["oauth_config"]["scopes"]["bot"]

    assert set(asked) == NEEDED
    assert asked == sorted(set(asked))


def test_scopes_cover_every_called_method() -> None:
    """The scope table lists exactly the Web API methods that the code calls."""
    assert {method.replace(".", "_") for method in METHODS} == set(_called())


def test_manifest_enables_interactivity_for_buttons_and_forms(manifest: dict[str, Any]) -> None:
    """The manifest enables interactivity, which the buttons and forms need."""
    assert list(_registered("action")) or list(_registered("view"))
    assert manifest["settings"]["interactivity"] == {"is_enabled": True}


def test_manifest_uses_socket_mode_without_urls(manifest: dict[str, Any]) -> None:
    """The shipped manifest enables Socket Mode and contains no URL."""
    assert manifest["settings"]["socket_mode_enabled"] is True
    assert "url" not in json.dumps(manifest)


def test_http_manifest_differs_in_its_addresses_alone(manifest: dict[str, Any]) -> None:
    """manifest.http.yml is manifest.yml without Socket Mode, and with Slack's addresses."""
    http: dict[str, Any] = yaml.safe_load((_HERE / "manifest.http.yml").read_text())
    settings = http["settings"]
    places = [*http["features"]["slash_commands"], settings["event_subscriptions"]]
    urls = [place.pop("url", None) or place.pop("request_url") for place in places]
    # With Socket Mode, Slack asks for the options of a menu over the socket.
    urls += [
        settings["interactivity"].pop(name) for name in ("request_url", "message_menu_options_url")
    ]

    assert set(urls) == {"https://YOUR-HOST/slack/events"}
    assert settings["socket_mode_enabled"] is False
    settings["socket_mode_enabled"] = True
    assert http == manifest


def test_http_manifest_matches_slack_schema() -> None:
    """The manifest for HTTP is valid under Slack's published schema once it names a host."""
    if not _SCHEMA.exists():
        pytest.skip(f"{_SCHEMA.name} is not beside this checkout")
    text = (_HERE / "manifest.http.yml").read_text().replace("YOUR-HOST", "bot.example.com")

    problems = jsonschema.Draft7Validator(json.loads(_SCHEMA.read_text())).iter_errors(
        yaml.safe_load(text)
    )

    assert list(problems) == []


async def test_app_is_built_without_calling_slack() -> None:
    """The app is built without a call to Slack, and Bolt logs errors only."""
    client = AsyncWebClient(token="xoxb-made-up", base_url="http://127.0.0.1:9/api/")
    identity = Identity("T0HOME", "U0BOT", "B0BOT", "", frozenset())

    built = app.build_app(
        client=client,
        identity=identity,
        service=None,  # type: ignore[arg-type] # nothing is asked
        alert_service=None,  # type: ignore[arg-type] # the same
        moderation=None,  # type: ignore[arg-type] # the same
        background=BackgroundQueue(supervisor=Supervisor(Metrics())),
        directory=Directory(client, team="T0HOME"),
    )

    assert isinstance(built, AsyncApp)
    # Bolt's warnings print payloads.
    assert built.logger.level == logging.ERROR


# --- reading the code ----------------------------------------------------------------


def _trees() -> Iterator[ast.Module]:
    for file in sorted((_HERE / "handlers").rglob("*.py")):
        yield _parsed(file.read_text())


def _parsed(source: str) -> ast.Module:
    # Python 3.11 counts the depth of all threads together, and gives up where one comes between.
    for _ in range(5):
        with contextlib.suppress(SystemError):
            return ast.parse(source)
    return ast.parse(source)


def _registered(sort: str) -> Iterator[str]:
    """Give the constant first arguments of `@app.<sort>(…)`."""
    for tree in _trees():
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == sort
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "app"
            ):
                yield (
                    ast.literal_eval(node.args[0])
                    if isinstance(node.args[0], ast.Constant)
                    else ast.unparse(node.args[0])
                )


def _called() -> Iterator[str]:
    """Give every Web API method that is called on a client."""
    known = {name for name in dir(AsyncWebClient) if "_" in name.strip("_")} - {"api_call"}
    for tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in known:
                yield node.attr
