"""The alert rules, judged by Prometheus' own tool over what the bot has really shown."""

import asyncio
import tempfile
from collections.abc import Collection, Mapping
from typing import Any

import yaml

from tests.support.paths import ROOT
from tests.support.prometheus import PROMTOOL, samples

RULES = ROOT / "deploy" / "prometheus" / "stopstream.rules.yml"

_CALM, _AFTER = 10, 10
"""Minutes for which each scrape is repeated."""

_LONGEST = 8
"""Minutes after the change at which every alert fires: more than any of them waits."""


def rules() -> Mapping[str, Mapping[str, Any]]:
    """Return the alert rules by name."""
    found = yaml.safe_load(RULES.read_text())
    return {rule["alert"]: rule for group in found["groups"] for rule in group["rules"]}


async def judge(calm: str, after: str, *, up: bool, fires: Collection[str]) -> str:
    """Return what the tool says against this: no alert fires while it is calm, then all of these.

    Args:
        calm, after: What the bot showed.
        up: Whether it answered afterwards.
    """
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [*_series(calm, after), _up(up)],
                "promql_expr_test": [
                    {"expr": _firing(".*"), "eval_time": f"{_CALM - 1}m", "exp_samples": []},
                    *(
                        {
                            "expr": _firing(name),
                            "eval_time": f"{_CALM + _LONGEST}m",
                            "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1}],
                        }
                        for name in fires
                    ),
                ],
            }
        ],
    }
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        yaml.safe_dump(test, file)
        file.flush()
        return await promtool("test", "rules", file.name)


async def promtool(*arguments: str) -> str:
    """Run the tool, and return what it says if it is not content."""
    ran = await asyncio.create_subprocess_exec(
        PROMTOOL,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await ran.communicate()
    return said.decode() if ran.returncode else ""


def _firing(name: str) -> str:
    return f'max by (alertname) (ALERTS{{alertname=~"{name}",alertstate="firing"}})'


def _up(up: bool) -> dict[str, str]:
    return _input('up{job="stopstream",instance="bot:9464"}', 1.0, float(up))


def _series(calm: str, after: str) -> list[dict[str, str]]:
    before, now = samples(calm), samples(after)
    return [
        _input(_name(*series), before.get(series), now.get(series))
        for series in sorted(before.keys() | now.keys(), key=str)
        if not series[0].endswith("_created")
    ]


def _name(name: str, labels: frozenset[tuple[str, str]]) -> str:
    of = {**dict(labels), "job": "stopstream", "instance": "bot:9464"}
    pairs = ",".join(f'{label}="{value}"' for label, value in sorted(of.items()))
    return f"{name}{{{pairs}}}"


def _input(series: str, before: float | None, after: float | None) -> dict[str, str]:
    parts = ((before, _CALM), (after, _AFTER))
    return {
        "series": series,
        "values": " ".join(
            f"_x{count}" if value is None else f"{value:f}+0x{count - 1}" for value, count in parts
        ),
    }
