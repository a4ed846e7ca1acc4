"""The picker of live streams between the emulated workspace and the emulated cloud."""

from pathlib import Path

import pytest

from bot.cli.demo import DOMAIN, INCIDENTS
from handlers.messages.stream_picker import PICK_STREAM
from tests.support.worlds import sandbox


@pytest.mark.parametrize("socket", [True, False])
async def test_live_stream_is_picked_and_stopped(tmp_path: Path, socket: bool) -> None:
    """The form offers what is live, and what is picked in it is stopped, over either transport."""
    async with sandbox(tmp_path, socket=socket, limits=False) as world:
        world.cloud.resources.put("stream", "sunday-show", DOMAIN, "live")
        alice = world.slack.person("U0ALICE")
        await alice.slash("/stopstream", channel=INCIDENTS)
        await alice.modal()

        await alice.pick(PICK_STREAM, "sunday-show", "sunday")
        assert not (await alice.submit()).body
        await world.slack.wait_for(
            lambda: [
                one for one in world.slack.channels[INCIDENTS].messages if "RequestId" in one.text
            ]
        )

    (stopped,) = [one for one in world.cloud.ran() if one.api == "DropLiveStream"]
    assert stopped.params["StreamName"] == "sunday-show"


async def test_form_lists_what_somebody_can_do(tmp_path: Path) -> None:
    """The form lists what somebody can do, or can ask for if that is nothing; a guest gets none."""
    async with sandbox(tmp_path, limits=False) as world:
        offered = {}
        for user in ("U0ALICE", "U0BOB", "U0MALLORY"):
            await world.slack.person(user).slash("/stopstream", channel=INCIDENTS)
            view = await world.slack.person(user).modal()
            (choice,) = [one for one in view["blocks"] if one.get("block_id") == "action"]
            groups = choice["element"]["option_groups"]
            offered[user] = [one["text"]["text"] for of in groups for one in of["options"]]
        await world.slack.person("U0GUEST").slash("/stopstream", channel=INCIDENTS)
        await world.slack.wait_for(lambda: world.slack.ephemerals("U0GUEST"))

    assert "U0GUEST" not in world.slack.modals
    assert "Stop a live stream" in offered["U0ALICE"]
    assert "Close a numbered room" not in offered["U0ALICE"]
    assert offered["U0BOB"] == offered["U0MALLORY"]
    assert len(offered["U0BOB"]) > len(offered["U0ALICE"])
