"""README and docs match the code."""

import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

from bot.catalog.registry import ACTIONS
from bot.policy import example
from bot.policy.loader import LoadedPolicy, loader
from tests.support.paths import ROOT
from tests.tools.tables import PAGES, sections, written


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_generated_tables_match_code(page: Path) -> None:
    """The generated tables of each page match the code."""
    text = page.read_text()

    assert written(text) == text, "run python -m tests.tools.tables"


def test_each_table_is_on_one_page() -> None:
    """Every generated table is on exactly one page."""
    text = "\n".join(page.read_text() for page in PAGES)

    assert Counter(re.findall(r"<!-- ([a-z-]+) -->", text)) == Counter([*sections(), "bench"])


def test_readme_is_short() -> None:
    """The README is read in two minutes: 150 lines at most."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def _load(text: str) -> LoadedPolicy:
    return loader(
        source="policy.yml",
        sites={},
        region="",
        now=1_700_000_000.0,
        variable=lambda name: f"made-up-{name.lower()}",
    )(text)


def _policies() -> list[tuple[str, str]]:
    blocks = (
        (page, re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)) for page in PAGES
    )
    return [(f"{page.name}[{at}]", text) for page, found in blocks for at, text in enumerate(found)]


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in _policies()])
def test_policies_in_docs_load(text: str) -> None:
    """Every policy that a page shows is valid, and allows something."""
    assert any(role.allow for role in _load(text).policy.roles.values())


def test_readme_shows_a_policy() -> None:
    """The README shows a policy, and docs/policy.md one with each key."""
    shown = dict(_policies())

    assert set(yaml.safe_load(shown["README.md[0]"])["roles"]) == {"oncall", "leads"}
    assert set(yaml.safe_load(shown["policy.md[0]"])["roles"]) == {"oncall", "leads", "managers"}


def test_example_policy_is_valid() -> None:
    """The policy file that `stopstream policy init` writes can be loaded as it is."""
    assert set(_load(example.read()).policy.roles) == {"oncall", "leads"}


def test_commands_page_names_every_action() -> None:
    """docs/commands.md names every action of the catalog."""
    text = (ROOT / "docs" / "commands.md").read_text()

    assert [action.api for action in ACTIONS if action.api not in text] == []


def test_links_between_pages_lead_somewhere() -> None:
    """Every relative link on a page names a file that exists."""
    links = [
        (page, target)
        for page in PAGES
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text())
    ]

    assert links
    assert [f"{page.name}: {to}" for page, to in links if not (page.parent / to).exists()] == []
