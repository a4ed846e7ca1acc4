"""How the command line starts a command."""

import gc
import sys

import pytest

from bot.cli.main import build_parser, main
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


@pytest.mark.parametrize(
    ("command", "usable", "unusable"),
    [
        ("audit tail -n", ["1", "20"], ["0", "-1", "x", "1.5", "\u0661", "9" * 19]),
        ("audit follow --after", ["0", "7"], ["-1", "x"]),
        ("audit acknowledge --reason x", ["1"], ["0"]),
    ],
)
def test_count_that_means_nothing_is_wrong_usage(
    command: str, usable: list[str], unusable: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A number of records, or of one, that can't be is refused and not read as another."""
    for number in usable:
        build_parser().parse_args([*command.split(), number])
    for number in unusable:
        with pytest.raises(SystemExit) as ended:
            build_parser().parse_args([*command.split(), number])
        assert ended.value.code == USAGE
        assert "whole number from" in capsys.readouterr().err or number == "-1"
