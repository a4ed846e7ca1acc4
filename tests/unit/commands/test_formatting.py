"""Commands formatted as text parse back to themselves."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.catalog.param_types import is_invisible
from bot.catalog.registry import ACTIONS, by_api
from bot.commands.formatting import example, format_command
from bot.model.actions import Effect
from bot.model.commands import Command
from bot.redact import redact
from tests.support.commands import (
    BARE,
    MADE,
    STREAM,
    command,
)

_VALUES = st.one_of(
    st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20),
    st.lists(
        st.sampled_from(
            ["<", ">", "&", "amp;", "lt;", "!here", "|", '"', "”", "'", "’", "`", " ", "a"]
        ),
        min_size=1,
        max_size=12,
    ).map("".join),
)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: a.api)
def test_help_example_parses_to_its_action(action: Any) -> None:
    """Every action's help example parses to that action."""
    found = command(example(action), None, BARE)

    assert found.action is action


@given(_VALUES.filter(lambda name: not any(map(is_invisible, name))), _VALUES, st.booleans())
def test_format_command_round_trips_through_parser(name: str, why: str, slack: bool) -> None:
    """A formatted command parses back to itself, also with Slack's escapes."""
    ban = by_api("ForbidLiveStream")
    params = STREAM | {"StreamName": name, "Reason": why}
    written = format_command(Command(ban, params))
    if "://" in name or "[hidden]" in redact(written):
        return
    if slack:
        written = written.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    found = command(written)

    assert found == Command(ban, params)
    assert command(format_command(found)) == found


@given(st.booleans(), st.integers(0, 2**64 - 1), st.sampled_from(["default", "second"]))
def test_format_command_keeps_typed_values_and_account(on: bool, count: int, account: str) -> None:
    """Booleans, integers and the account survive formatting and parsing."""
    close = MADE.actions[1]
    asked = Command(close, {"Id": "i", "Enabled": on, "Count": count}, account=account)

    assert command(format_command(asked), vocabulary=MADE) == asked


def test_format_command_hides_secret_parameter() -> None:
    """A formatted command shows a secret parameter as hidden."""
    spelled = format_command(command("car-url u1 rtmp://a.example.com/live2/5ECRE7", Effect.START))

    assert "5ECRE7" not in spelled
    assert "PublishStreamURL=[hidden]" in spelled
