"""The README says what the code does."""

import re

from bot.catalog.registry import ACTIONS
from bot.policy.loader import loader
from tests.readme import README, written


def test_its_tables_are_those_of_the_code() -> None:
    text = README.read_text()

    assert written(text) == text, "run python -m tests.readme"


def test_its_policy_loads() -> None:
    yaml = re.search(r"```yaml\n(.*?)```", README.read_text(), re.DOTALL)
    assert yaml is not None

    load = loader(source="README.md", sites={}, region="", now=1_700_000_000.0)

    assert set(load(yaml[1]).policy.roles) == {"oncall", "leads", "managers"}


def test_every_action_is_named() -> None:
    text = README.read_text()

    assert [action.api for action in ACTIONS if action.api not in text] == []
