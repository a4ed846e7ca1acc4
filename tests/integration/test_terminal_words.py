"""What `stopstream run` and `decide` say to somebody who sees no card and is in no channel."""

import json
from pathlib import Path

import pytest

from bot.cli.main import main
from tests.support.databases import lay_schema
from tests.support.terminal_folder import enter_folder

POLICY = """
defaults: {live: {DomainName: push.example.com}}
roles:
  oncall:
    members: {users: [U0ALICE]}
    allow:
      - actions: [Hold]
        approval: second-person
        approvers: [leads]
      - {actions: [DropLiveStream], channels: [C0INC]}
  leads: {members: {users: [U0BOB]}, allow: [{actions: [Hold], approval: confirm}]}
"""
HOLD = ["run", "hold live stream1 reason=legal", "--actor", "U0ALICE"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a policy and a database, in which commands run without Slack."""
    lay_schema(tmp_path / "stopstream.db")
    return enter_folder(tmp_path, POLICY, monkeypatch)


class Terminal:
    """Runs commands and gives their exit code and what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def run(self, *arguments: str) -> tuple[int, str, str]:
        self._capsys.readouterr()
        code = main(arguments)
        said = self._capsys.readouterr()
        return code, said.out, said.err

    def asked(self, *arguments: str) -> dict[str, str]:
        """Return what a command prints as JSON; the log of this process is not part of it."""
        _, out, _ = self.run(*arguments, "--json")
        found: dict[str, str] = json.loads(out.splitlines()[-1])
        return found


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(capsys)


def test_second_request_names_the_one_that_waits(terminal: Terminal) -> None:
    """Who asks for the same again is told which operation can be decided."""
    first = terminal.asked(*HOLD)
    assert first["ending"] == "waiting"

    again = terminal.asked(*HOLD)
    code, out, _ = terminal.run(*HOLD)

    assert (again["ending"], again["duplicate_of"]) == ("cancelled", first["id"])
    assert code == 1
    assert f"operation {first['id']} waits: stopstream decide {first['id']} approve" in out


def test_denial_without_a_channel_says_how_to_name_one(terminal: Terminal) -> None:
    """A terminal is nowhere, so it is not said what can't be done "here"."""
    code, out, _ = terminal.run("run", "live stream1", "--actor", "U0ALICE")

    assert code == 1
    assert "without a channel. You can in C0INC: add --channel C0INC." in out
    assert " here" not in out


def test_late_decision_says_how_it_ended(terminal: Terminal) -> None:
    """There is no card to look at, so the sentence has the ending and where its story is."""
    id_ = terminal.asked(*HOLD)["id"]
    assert terminal.run("decide", id_, "approve", "--actor", "U0BOB")[0] == 0

    code, _, err = terminal.run("decide", id_, "approve", "--actor", "U0BOB")

    assert code == 1
    assert "card" not in err
    assert (
        "You already decided this and it has ended. It ended as accepted: "
        f"stopstream audit show {id_}\n" in err
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("off", "run stopstream off"),
        ("audit", "run stopstream audit tail"),
        ("whoami", "run stopstream policy explain"),
        ("help", "write for example: live stream1"),
    ],
)
def test_text_that_is_no_action_names_the_command(terminal: Terminal, text: str, told: str) -> None:
    """What Slack answers by itself has a command of its own here."""
    code, _, err = terminal.run("run", text, "--actor", "U0ALICE")

    assert (code, err) == (2, f"stopstream: that is not an action; {told}\n")


def test_mistyped_id_does_not_become_a_case(terminal: Terminal, folder: Path) -> None:
    """A decision over what was never asked for is not recorded as if it had been."""
    code, _, err = terminal.run("decide", "no\x1bpe", "approve", "--actor", "U0BOB")

    assert code == 1
    assert "there is no operation no pe; stopstream pending lists them" in err
    _, out, _ = terminal.run("audit", "tail")
    assert "refused" not in out
    assert terminal.run("audit", "show", "no\x1bpe")[0] == 1
    assert terminal.run("audit", "bundle", "no\x1bpe")[0] == 1
    assert not list(folder.glob("*.tar.gz"))
