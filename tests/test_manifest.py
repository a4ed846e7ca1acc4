"""The manifest, held to Slack's schema and to the handlers: nothing missing, nothing more."""

import ast
import contextlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.supervision import Supervisor
from bot.telemetry import Metrics
from handlers import app
from handlers.listeners import commands
from handlers.manifest import EVENTS, METHODS, NEEDED
from handlers.slack.background import BackgroundQueue
from handlers.slack.directory import Directory
from handlers.slack.transports import Identity

_HERE = Path(__file__).parents[1]
_SCHEMA = _HERE.parent / "shared" / "facts" / "slack_manifest_v2.schema.json"


@pytest.fixture
def manifest() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((_HERE / "manifest.yml").read_text())
    return found


def test_slack_takes_the_manifest(manifest: dict[str, Any]) -> None:
    if not _SCHEMA.exists():
        pytest.skip(f"{_SCHEMA.name} is not beside this checkout")
    schema = json.loads(_SCHEMA.read_text())

    problems = list(jsonschema.Draft7Validator(schema).iter_errors(manifest))

    assert problems == []


def test_every_command_is_in_the_manifest_and_in_the_code(manifest: dict[str, Any]) -> None:
    declared = manifest["features"]["slash_commands"]

    assert {entry["command"] for entry in declared} == set(commands.COMMANDS)
    assert set(_registered("command")) == set(commands.COMMANDS)
    assert all(entry["should_escape"] for entry in declared)


def test_every_shortcut_is_in_the_manifest_and_in_the_code(manifest: dict[str, Any]) -> None:
    declared = {entry["callback_id"] for entry in manifest["features"].get("shortcuts", [])}
    found = [
        name
        for sort in ("shortcut", "global_shortcut", "message_shortcut")
        for name in _registered(sort)
    ]

    assert set(found) == declared


def test_every_event_is_in_the_manifest_and_in_the_code(manifest: dict[str, Any]) -> None:
    declared = set(manifest["settings"]["event_subscriptions"]["bot_events"])

    assert declared == set(_registered("event"))
    assert declared == set(EVENTS)


def test_no_scope_is_asked_for_that_no_call_needs_and_none_is_missing(
    manifest: dict[str, Any],
) -> None:
    asked = manifest["oauth_config"]["scopes"]["bot"]

    assert set(asked) == NEEDED
    assert asked == sorted(set(asked))


def test_every_method_that_is_called_has_its_scopes_declared() -> None:
    assert {method.replace(".", "_") for method in METHODS} == set(_called())


def test_buttons_and_forms_need_interactivity(manifest: dict[str, Any]) -> None:
    assert list(_registered("action")) or list(_registered("view"))
    assert manifest["settings"]["interactivity"] == {"is_enabled": True}


def test_the_shipped_form_is_socket_mode_without_addresses(manifest: dict[str, Any]) -> None:
    assert manifest["settings"]["socket_mode_enabled"] is True
    assert "url" not in json.dumps(manifest)


async def test_an_app_is_built_without_asking_slack() -> None:
    client = AsyncWebClient(token="xoxb-made-up", base_url="http://127.0.0.1:9/api/")
    identity = Identity("T0HOME", "U0BOT", "B0BOT", "", frozenset())

    built = app.build_app(
        client=client,
        identity=identity,
        service=None,  # type: ignore[arg-type] # nothing is asked
        errands=BackgroundQueue(supervisor=Supervisor(Metrics())),
        directory=Directory(client, team="T0HOME"),
        signing_secret="made up",
    )

    assert isinstance(built, AsyncApp)
    # Bolt's warnings print payloads.
    assert built.logger.level == logging.ERROR


# --- reading the code ----------------------------------------------------------------


def _trees() -> Iterator[ast.Module]:
    for file in sorted((_HERE / "handlers").glob("*.py")):
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
