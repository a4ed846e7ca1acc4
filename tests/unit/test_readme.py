"""The README says what the code does."""

import re

from bot.catalog.registry import ACTIONS
from bot.policy.loader import loader
from tests.tools.readme import README, written


def test_readme_tables_match_code() -> None:
    """The generated tables in the README match the code."""
    text = README.read_text()

    assert written(text) == text, "run python -m tests.tools.readme"


def test_readme_policy_loads() -> None:
    """The example policy in the README loads with its three roles."""
    yaml = re.search(r"```yaml\n(.*?)```", README.read_text(), re.DOTALL)
    assert yaml is not None

    load = loader(source="README.md", sites={}, region="", now=1_700_000_000.0)

    assert set(load(yaml[1]).policy.roles) == {"oncall", "leads", "managers"}


def test_readme_names_every_action() -> None:
    """The README names every action of the catalog."""
    text = README.read_text()

    assert [action.api for action in ACTIONS if action.api not in text] == []
