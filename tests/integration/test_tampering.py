"""Whoever can write the database, without the key, is found by `stopstream audit verify`."""

import argparse
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.audit.hash_chain import Fact
from bot.cli import audit
from bot.cli.main import build_parser
from bot.cli.settings import Settings, read_settings
from bot.cli.wiring import open_store
from bot.errors import ConfigError
from bot.storage import database
from bot.storage.store import Store
from tests.support import trail_attacker as attacker
from tests.support.trail_attacker import Attack

RECORDS = [Fact("exported", "", {"n": n, "user": "U0ALICE", "took": 0.5}) for n in range(3)]


async def fill(store: Store) -> None:
    for fact in RECORDS:
        await store.audit_log.record(fact)


@dataclass
class Installation:
    """A bot's database and key in a folder, and an older copy of the database.

    Attributes:
        saved: What lies in the folder, as it was before anybody tampered.
    """

    folder: Path
    saved: Path
    old: Path
    settings: Settings

    async def verify(self, *more: str) -> int:
        return await self.run("verify", *more)

    async def run(self, *words: str) -> int:
        options: argparse.Namespace = build_parser().parse_args(["audit", *words])
        return await audit.run(self.settings, options)

    def restore(self) -> None:
        for file in self.folder.iterdir():
            file.unlink()
        shutil.copytree(self.saved, self.folder, dirs_exist_ok=True)

    def tamper(self, *attacks: Attack) -> None:
        engine = database.connect(self.settings.database_url)
        with engine.begin() as connection:
            for attack in attacks:
                attack(connection)
        engine.dispose()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders of all installations: the present state, and one that is older."""
    return {name: tmp_path_factory.mktemp(name) for name in ("now", "saved", "before")}


@pytest.fixture
async def installed(made: dict[str, Path]) -> Installation:
    now, saved, before = made["now"], made["saved"], made["before"]
    settings = read_settings(STOPSTREAM_DATABASE_URL=f"sqlite:///{now / 'stopstream.db'}")
    if not list(saved.iterdir()):
        store = open_store(settings, may_create=True)
        await fill(store)
        await store.audit_log.checkpoint()
        await store.close()
        shutil.copy(now / "stopstream.db", before)
        store = open_store(settings, may_create=True)
        await fill(store)
        await store.close()
        shutil.copytree(now, saved, dirs_exist_ok=True)
    installation = Installation(now, saved, before / "stopstream.db", settings)
    installation.restore()
    return installation


KINDS = {
    "append": attacker.append,
    "rewrite": attacker.rewrite,
    "cut": attacker.cut,
    "cut all": attacker.cut_all,
    "swap": attacker.swap,
    "swap only": attacker.swap_only,
    "replay": None,
}


async def work(store: Store) -> None:
    await fill(store)
    await store.audit_log.checkpoint()


async def test_untouched_log_verifies(installed: Installation) -> None:
    """Without an attack every moment verifies: while the bot is down, restarted and up."""
    assert await installed.verify() == 0
    store = open_store(installed.settings)
    await work(store)
    assert await installed.verify() == 0
    await work(store)
    await store.close()
    assert await installed.verify() == 0


@pytest.mark.parametrize("seals", attacker.SEALS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("kind", KINDS)
async def test_every_attack_without_the_key_is_found(
    installed: Installation, kind: str, seals: Attack, capsys: pytest.CaptureFixture[str]
) -> None:
    """No attack ends in exit 0: not with the bot up, nor down, nor started again."""
    attack = KINDS[kind] or attacker.replay(installed.old)
    store = open_store(installed.settings)
    await work(store)
    installed.tamper(attack, seals)
    found = [await installed.verify()]
    await work(store)
    found.append(await installed.verify())
    await store.close()
    installed.restore()

    installed.tamper(attack, seals)
    found.append(await installed.verify())
    try:
        store = open_store(installed.settings)
    except ConfigError as error:
        assert "rotate-key" in str(error)
    else:
        await work(store)
        await store.close()
    found.append(await installed.verify())

    assert found == [1, 1, 1, 1], capsys.readouterr().out
