"""Help describes every action, within Slack's limits."""

import re

import pytest

from bot.catalog.registry import ACTIONS
from bot.commands.formatting import example
from bot.commands.parsed import Audit
from bot.commands.parser import parse
from bot.model.actions import Action
from bot.model.commands import Command
from handlers.messages import help as help_messages
from tests.unit.messages.samples import VOCABULARY, is_harmless


def test_help_examples_can_be_parsed() -> None:
    """Every example in the help is parsed without an error."""
    help_text = help_messages.help_on("all", ACTIONS).text
    offered = [example(action) for action in ACTIONS]

    for text in (*offered, "/stopstream audit since=24h"):
        assert f"`{text}`" in help_text
        command = parse(text, verb=None, vocabulary=VOCABULARY, now=0.0)
        assert isinstance(command, Command | Audit)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: a.api)
def test_help_topic_describes_action(action: Action) -> None:
    """Help on an action has its purpose, its deprecation and all its parameters."""
    for topic in (action.words, action.api, action.api.upper()):
        message = help_messages.help_on(topic, ACTIONS)
        assert action.does in message.text
        assert action.deprecated in message.text
        for param in action.params:
            assert f"`{param.word}` or `{param.api}`" in message.text
        is_harmless(message)


def test_help_names_the_plain_title_first_and_undo_as_a_command() -> None:
    """Help on an action begins with its plain name; undo and state are commands to type."""
    lines = help_messages.help_on("ban", ACTIONS).text.splitlines()

    assert lines[0] == "*Ban a stream* (ForbidLiveStream)"
    assert "To undo it: `/startstream live`" in lines
    assert "To check its state: `/stopstream status live`" in lines


@pytest.mark.parametrize("topic", ["live", "trtc", "CAR", "stop", "start", "status"])
def test_help_topic_lists_product_or_verb(topic: str) -> None:
    """Help on a product or a verb lists all of its actions."""
    message = help_messages.help_on(topic, ACTIONS)

    for action in ACTIONS:
        if topic.lower() in (action.product.name, action.effect.value):
            assert re.search(rf"\b{action.words}\b", message.text)
    is_harmless(message)


def test_help_overview_describes_every_action() -> None:
    """The help overview states the purpose of every action."""
    message = help_messages.help_on("all", ACTIONS)
    blocks = "\n".join(block["text"]["text"] for block in message.blocks)

    assert all(action.does.partition(". ")[0] in blocks for action in ACTIONS)
    assert message.text.endswith("say `@stopstream stop live stream1`.")
    is_harmless(message)


def test_help_unknown_topic_lists_commands() -> None:
    """Help on an unknown topic says so and lists the available commands."""
    message = help_messages.help_on("lvie", ACTIONS)

    assert message.text.startswith("There is no help on `lvie`")
    assert "DropLiveStream" in message.text or "`/stopstream live" in message.text


def test_help_stays_within_slack_limits() -> None:
    """Help on ten times as many actions stays within the limits of Slack."""
    is_harmless(help_messages.help_on("all", ACTIONS * 10))
    is_harmless(help_messages.help_on("live", ACTIONS * 10))
