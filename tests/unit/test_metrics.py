"""The metrics: their labels are bounded, and what one counts is counted once."""

from dataclasses import replace

import pytest

from bot.catalog.error_codes import known
from bot.metrics import Metrics
from bot.model.operations import State
from bot.operations.transition_log import log_transition
from tests.support.stored_operations import operation


@pytest.mark.parametrize(
    ("api", "code", "counted"),
    [
        ("DropLiveStream", "", ("DropLiveStream", "")),
        ("DropLiveStream", known()[0], ("DropLiveStream", known()[0])),
        ("DropLiveStream", "Made.Up.By.The.Cloud", ("DropLiveStream", "other")),
        ("ActionOfAnotherRelease", "", ("other", "")),
        ("", "", ("", "")),
    ],
)
def test_ending_is_counted_under_what_the_catalog_knows(
    api: str, code: str, counted: tuple[str, str]
) -> None:
    """An action or a code that the catalog does not have counts as `other`."""
    metrics = Metrics()
    ended = replace(operation(), api=api, code=code, state=State.FAILED, ended_at=1.0)

    log_transition(ended, State.RUNNING, metrics)

    labels = {"ending": "failed", "api": counted[0], "code": counted[1]}
    assert metrics.registry.get_sample_value("stopstream_ended_total", labels) == 1


def test_each_metric_is_described_as_it_is_shown() -> None:
    """What the documentation lists is what the registry holds, but for the process's own."""
    metrics = Metrics()
    metrics.build.info({"version": "1", "schema": "2"})
    shown = {family.name: family for family in metrics.registry.collect()}
    ours = {name for name in shown if not name.startswith("process_")}

    described = {one.name.removesuffix("_total").removesuffix("_info") for one in metrics.described}
    assert described == ours
    for one in metrics.described:
        assert one.help.endswith(".")
        assert one.kind != "counter" or one.name.endswith("_total")


def test_two_bots_in_one_process_count_apart() -> None:
    """Each has a registry of its own."""
    one, other = Metrics(), Metrics()
    one.came_back.inc()

    assert other.registry.get_sample_value("stopstream_came_back_total") == 0
