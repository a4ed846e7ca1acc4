"""What becomes of the policy in force when the file changes to one that allows nobody anything."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.cli.policy_reload import PolicyReloader
from bot.cli.serve import Server
from bot.cli.settings import read_settings
from bot.cli.wiring import open_policy
from bot.errors import ConfigError
from bot.metrics import Metrics
from tests.support.worlds import emulated

POLICY = "roles: {a: {members: {users: [U0A]}, allow: [{actions: ['*']}]}}\n"


@dataclass
class Trail:
    """Keeps what the audit channel is told; has no accounts to adopt."""

    said: list[str] = field(default_factory=list)
    owner: str = "a"

    def __post_init__(self) -> None:
        self.outbox = self.session = self

    async def announce(self, _key: str, text: str, _facts: object, _what: str) -> None:
        self.said.append(text)


@dataclass
class Watched:
    """A policy file that is followed."""

    path: Path
    trail: Trail = field(default_factory=Trail)
    metrics: Metrics = field(default_factory=Metrics)

    def __post_init__(self) -> None:
        self.path.write_text(POLICY)
        self.file = open_policy(read_settings(STOPSTREAM_POLICY=str(self.path)))
        store: Any = self.trail
        self.reloader = PolicyReloader(self.file, store, self.metrics)

    async def becomes(self, text: str) -> str:
        """Write the file anew; return the one line that the audit channel is told."""
        self.path.write_text(text)
        await self.reloader.check()
        await self.reloader.check()
        return self.trail.said.pop() if len(self.trail.said) == 1 else repr(self.trail.said)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "policy.yml")


@pytest.mark.parametrize("text", ["", "{}\n", "# later\n", "limits: []\n"])
async def test_policy_file_that_is_emptied_leaves_the_old_one_in_force(
    watched: Watched, text: str
) -> None:
    """A file without roles changes nothing, and is told once; the next good one counts."""
    before = watched.file.value

    told = await watched.becomes(text)

    assert "is broken, so the old one stays: " in told
    assert "has no roles, so nobody may do anything" in told
    assert watched.file.value is before
    assert b"stopstream_policy_current 0.0" in watched.metrics.text()

    assert "New policy in force: members of a. " in await watched.becomes(
        POLICY.replace("U0A", "U0B")
    )
    assert b"stopstream_policy_current 1.0" in watched.metrics.text()


async def test_policy_that_takes_all_rights_away_comes_into_force_and_is_told(
    watched: Watched,
) -> None:
    """The last member loses their rights; the audit channel and the log hear of it."""
    with capture_logs() as logs:
        told = await watched.becomes(POLICY.replace("U0A", ""))

    assert (
        "New policy in force: members of a. ⚠️ Nobody may do anything now: no role has members."
        in told
    )
    assert watched.file.value.policy.roles["a"].members.users == ()
    assert [line["why"] for line in logs if line["log_level"] == "warning"] == [
        "no role has members"
    ]


async def test_server_does_not_start_with_an_empty_policy_file(tmp_path: Path) -> None:
    """An empty file is refused at the start, as any broken one."""
    (tmp_path / "policy.yml").write_text("# nothing\n")

    with pytest.raises(ConfigError, match="has no roles, so nobody may do anything"):
        Server(read_settings(STOPSTREAM_POLICY=str(tmp_path / "policy.yml")))


async def test_server_says_at_its_start_that_nobody_may_do_anything(tmp_path: Path) -> None:
    """A policy under which nobody may do anything is loud in the log."""
    async with emulated(tmp_path, socket=False, limits=False) as world:
        world.policy.write_text("roles: {}\n")
        with capture_logs() as logs:
            async with Server(read_settings(**world.environment)):
                pass

    assert [line["why"] for line in logs if line["event"].startswith("nobody may do any")] == [
        "it has no roles"
    ]
