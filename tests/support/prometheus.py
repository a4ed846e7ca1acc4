"""What the bot shows to Prometheus, and Prometheus' own tool where it is installed."""

import shutil

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

PROMTOOL = shutil.which("promtool") or ""
"""Path of the tool; empty where it is not installed."""

needs_promtool = pytest.mark.skipif(
    not PROMTOOL, reason="promtool is not installed (Debian package prometheus)"
)


async def fetch(url: str) -> tuple[int, str]:
    """Return the status and the text of a page."""
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        return answer.status, await answer.text()


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return the value of each series by its name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(text: str, name: str, **labels: str) -> float | None:
    """Return the sum of the series of a name that have these labels; None if there is none."""
    wanted = set(labels.items())
    found = [one for (of, has), one in samples(text).items() if of == name and wanted <= has]
    return sum(found) if found else None
