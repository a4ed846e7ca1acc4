"""A short campaign of kills: nothing lost, nothing doubled in silence, everything posted once.

`make chaos` runs the long ones.
"""

from pathlib import Path

from tests.chaos.campaign import Campaign


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
    for seed in range(6):
        folder = tmp_path / str(seed)
        folder.mkdir()
        url = f"sqlite:///{folder / 'chaos.db'}"
        # What it leaves undone for good need not be waited for.
        campaign = Campaign(url, folder, count=8, seed=seed, broken="kill", patience=8, calm=20)
        tally = await campaign.run()
        found = tally.lost + tally.doubled
        # On a busy machine little is under way when the bot is killed.
        if found:
            break

    assert found
