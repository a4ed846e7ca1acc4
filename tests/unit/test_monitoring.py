"""The alert rules, the dashboard and the runbook fit what the bot shows."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from bot.metrics import Metrics
from bot.model.lifecycle import ENDINGS
from tests.support.alerts import RULES, promtool, rules
from tests.support.paths import ROOT
from tests.support.prometheus import needs_promtool

DASHBOARD = ROOT / "deploy" / "grafana" / "stopstream.json"
RUNBOOK = ROOT / "docs" / "runbook.md"
UNIT = ROOT / "deploy" / "systemd" / "stopstream.service"

_OURS = re.compile(r"\b(?:stopstream|process)_[a-z_]+")
_PARTS = re.compile(r"_(?:bucket|sum|count)$")


def _known() -> set[str]:
    """Return every name that a query may use."""
    metrics = Metrics()
    shown = {sample.name for family in metrics.registry.collect() for sample in family.samples}
    return shown | {one.name for one in metrics.described}


def _queries() -> Iterator[str]:
    dashboard: dict[str, Any] = json.loads(DASHBOARD.read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"]
    for variable in dashboard["templating"]["list"]:
        yield str(variable["query"])


def test_every_query_names_a_metric_that_is_there() -> None:
    """The dashboard and the alerts ask for nothing that the bot does not show."""
    asked = [*_queries(), *(str(rule["expr"]) for rule in rules().values())]
    names = {name for query in asked for name in _OURS.findall(query)}

    assert {name for name in names if _PARTS.sub("", name) not in _known()} == set()


def test_every_metric_is_on_the_dashboard() -> None:
    """What is measured can be seen."""
    seen = " ".join(_queries())

    assert [one.name for one in Metrics().described if one.name not in seen] == []


def test_dashboard_has_no_two_panels_in_one_place() -> None:
    """Each panel has an id and a place of its own."""
    panels = json.loads(DASHBOARD.read_text())["panels"]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({(one["gridPos"]["x"], one["gridPos"]["y"]) for one in panels}) == len(panels)


@pytest.mark.parametrize("name", sorted(rules()))
def test_alert_has_a_section_of_the_runbook(name: str) -> None:
    """Each alert leads to a section that says how to look and what to do."""
    rule = rules()[name]
    section = _section(name)

    assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"
    assert "- Look: " in section
    assert "- Do: " in section
    assert rule["labels"]["severity"] in ("page", "ticket")


def test_runbook_has_no_section_of_an_alert_that_is_gone() -> None:
    """The headings below *Alerts* are the alerts."""
    below = RUNBOOK.read_text().partition("\n## Alerts\n")[2].partition("\n## ")[0]

    assert set(re.findall(r"^### (.+)$", below, re.MULTILINE)) == set(rules())


@pytest.mark.parametrize("ending", sorted(ENDINGS))
def test_ending_has_a_section_of_the_runbook(ending: str) -> None:
    """Each ending is explained to whoever runs the bot."""
    assert len(_section(str(ending)).split()) > 10


def _section(title: str) -> str:
    return RUNBOOK.read_text().partition(f"\n### {title}\n")[2].partition("\n#")[0]


def test_unit_lets_the_process_be_measured() -> None:
    """The process's metrics need /proc/stat, which `ProcSubset=pid` hides."""
    assert "ProcSubset=pid" not in UNIT.read_text().splitlines()
    assert {"process_resident_memory_bytes", "process_open_fds"} <= _known()


@needs_promtool
async def test_rules_pass_their_own_test() -> None:
    """Prometheus' tool accepts the rules and the test that lies beside them."""
    assert await promtool("check", "rules", str(RULES)) == ""
    assert await promtool("test", "rules", str(RULES.with_suffix(".test.yml"))) == ""
