"""A short campaign of kills: nothing lost, nothing doubled in silence, everything posted once.

`make chaos` runs the long ones.
"""

from pathlib import Path

from tests.chaos.campaign import Campaign


async def test_whatever_is_killed_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'chaos.db'}"
    tally = await Campaign(url, tmp_path, kills=8, seed=1, patience=8).run()

    assert tally.kills == 8
    assert tally.accepted > 20
    assert not tally.wrong, "\n".join(tally.lines())


async def test_a_bot_that_acts_before_its_intent_is_on_disk_is_found_out(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'chaos.db'}"
    tally = await Campaign(url, tmp_path, kills=8, seed=1, backwards=True, patience=8).run()

    assert tally.lost or tally.doubled, "\n".join(tally.lines())
