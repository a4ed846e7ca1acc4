"""How the command line starts a command."""

import gc
import sys

import pytest

from bot.cli.main import main
from bot.cli.output import USAGE


class ImportWatcher:
    """Finds no module; notes whether garbage is collected while each is looked for."""

    def __init__(self) -> None:
        self.collects: dict[str, bool] = {}

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> None:
        self.collects[name] = gc.isenabled()


def test_main_collects_no_garbage_while_it_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is imported lives on, so nothing is searched for garbage before the command runs."""
    watcher = ImportWatcher()
    monkeypatch.setattr(sys, "meta_path", [watcher, *sys.meta_path])
    monkeypatch.delitem(sys.modules, "bot.cli.terminal", raising=False)
    # Ends before the command would configure the log of this process.
    monkeypatch.setenv("STOPSTREAM_ASK_EXPIRES", "soon")

    code = main(["pending"])

    assert code == USAGE
    assert watcher.collects["bot.cli.terminal"] is False
    assert gc.isenabled()
