"""What may follow an operation's ending."""

from dataclasses import replace

import pytest

from bot.catalog.registry import ALL_ACTIONS
from bot.model.actions import Action
from bot.model.operations import State
from bot.operations.follow_ups import follow_up_command, follow_ups
from tests.unit.messages.samples import OPERATION


@pytest.mark.parametrize("action", ALL_ACTIONS, ids=lambda action: action.api)
def test_row_without_parameters_is_followed_by_nothing_on_what_it_lacks(action: Action) -> None:
    """An operation that another release stored without its parameters breaks no message."""
    for state in State:
        bare = replace(OPERATION, api=action.api, params={}, state=state)
        for follow in follow_ups(bare):
            command = follow_up_command(bare, follow)
            assert command is not None
            # What is missing has a default, or the follow-up does not need it.
            needed = {p.api for p in command.action.params if p.required}
            assert needed <= command.params.keys()
