"""A short campaign of kills: nothing lost, nothing doubled in silence, everything posted once.

`make chaos` runs the long ones.
"""

from dataclasses import fields
from pathlib import Path

import pytest

from tests.chaos.broken import BROKEN
from tests.chaos.campaign import Campaign
from tests.chaos.faults import FAULTS
from tests.chaos.points import Points
from tests.chaos.tally import Tally


async def test_chaos_campaign_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Across eight kills no operation is lost, silently doubled or left unposted."""
    url = f"sqlite:///{tmp_path / 'chaos.db'}"
    tally = await Campaign(url, tmp_path, count=8, seed=1, patience=8).run()

    assert tally.kills == 8
    assert tally.accepted > 0
    assert not tally.wrong, "\n".join(tally.lines())


async def test_chaos_campaign_detects_acting_before_intent(tmp_path: Path) -> None:
    """The campaign detects a bot that sends a request before it stores the intent."""
    found: list[str] = []
    for seed in range(12):
        folder = tmp_path / str(seed)
        folder.mkdir()
        url = f"sqlite:///{folder / 'chaos.db'}"
        # What it leaves undone for good need not be waited for.
        campaign = Campaign(url, folder, count=4, seed=seed, broken="kill", patience=8, calm=20)
        tally = await campaign.run()
        found = tally.lost + tally.doubled
        # On a busy machine little is under way when the bot is killed.
        if found:
            break

    assert found


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_has_a_bot_that_its_campaign_must_find(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whatever such a bot does in another way is still there to be done so."""
    broken, columns = BROKEN[name], {field.name for field in fields(Tally)}
    broken.breaks(monkeypatch.setattr)

    assert set(BROKEN) == set(FAULTS)
    assert broken.shows
    assert set(broken.shows) <= columns


def test_what_is_not_done_in_time_is_no_find() -> None:
    """A bot that is whole may still be at work when a busy machine has run out of patience."""
    slow, wrong = Tally(lost=["x1: still asked"]), Tally(lost=["x1: acked, and not on file"])

    assert not BROKEN["kill"].is_shown(slow)
    assert BROKEN["kill"].is_shown(wrong)
    assert not BROKEN["kill"].is_shown(Tally(late=["x1: sent after it had ended"]))


def test_full_disk_keeps_the_campaign_from_noting_its_points_and_harms_no_task() -> None:
    """What watches a bot raises nothing in the bot's tasks."""
    Points(Path("/dev/full")).passing("somewhere")
