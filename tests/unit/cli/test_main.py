"""How the command line starts a command."""

import gc
import sys
from collections.abc import Iterator

import pytest
import structlog

from bot.cli.main import main
from bot.cli.output import DONE


class ImportWatcher:
    """Finds no module; notes whether garbage is collected while each is looked for."""

    def __init__(self) -> None:
        self.collects: dict[str, bool] = {}

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> None:
        self.collects[name] = gc.isenabled()


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """A command configures the log of its whole process, which is pytest's here."""
    configured = structlog.get_config()
    yield
    structlog.configure(**configured)


def test_main_collects_no_garbage_while_it_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is imported lives on, so nothing is searched for garbage before the command runs."""
    watcher = ImportWatcher()
    monkeypatch.setattr(sys, "meta_path", [watcher, *sys.meta_path])
    monkeypatch.delitem(sys.modules, "bot.cli.terminal", raising=False)

    code = main(["policy", "schema"])

    assert code == DONE
    assert watcher.collects["bot.cli.terminal"] is False
    assert gc.isenabled()
