"""`stopstream check` between the emulators: each thing that is wrong has its line."""

import contextlib
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bot.cli.check import check
from bot.cli.demo import AUDIT
from bot.cli.output import DONE, FAILED, USAGE
from bot.cli.settings import Settings, read_settings, read_usable_settings
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.authentication import Key
from bot.sandbox.tencent.server import CloudEmulator
from bot.sandbox.tencent.sts import Role
from handlers.manifest import bot_scopes
from tests.support.databases import lay_schema
from tests.support.worlds import environment

POLICY = "roles:\n  a: {members: {users: [U0A]}, allow: [{actions: ['*']}]}\n"


@dataclass
class Installation:
    """What a check reads: a workspace, a cloud, a policy file and an environment."""

    slack: Workspace
    cloud: CloudEmulator
    policy: Path
    environment: dict[str, str]
    capsys: pytest.CaptureFixture[str]

    async def check(
        self, *, names: tuple[str, ...] = (), unusable: Mapping[str, str] | None = None
    ) -> tuple[int, list[str]]:
        """Run a check; return its exit code and its lines."""
        code = await check(self.settings(), names=names, unusable=unusable or {})
        return code, self.capsys.readouterr().out.splitlines()

    async def check_environment(
        self, patch: pytest.MonkeyPatch, environment: Mapping[str, str]
    ) -> tuple[int, Any]:
        """Run a check as the command does; return its exit code and what it prints."""
        for name, value in environment.items():
            patch.setenv(name, value)
        settings, unusable = read_usable_settings()
        code = await check(settings, unusable=unusable)
        return code, self.capsys.readouterr()

    def settings(self) -> Settings:
        return read_settings(**self.environment)


@pytest.fixture
async def installation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Installation]:
    policy = tmp_path / "policy.yml"
    policy.write_text(POLICY)
    async with contextlib.AsyncExitStack() as stack:
        slack = await stack.enter_async_context(Workspace(scopes=bot_scopes(), limits=False))
        cloud = await stack.enter_async_context(CloudEmulator(keys={"AKIDDEMODEMO": Key("demo")}))
        slack.channel(AUDIT, "audit")
        given = environment(tmp_path, slack, cloud, ("AKIDDEMODEMO", "demo"))
        yield Installation(slack, cloud, policy, given, capsys)


async def test_check_of_a_sound_installation(installation: Installation) -> None:
    """Everything is as it should be: it says so, and who the bot is by name."""
    code, lines = await installation.check()

    assert code == DONE, lines
    assert all(line.startswith("ok ") for line in lines)
    said = "\n".join(lines)
    slack = installation.slack
    assert f"slack: the bot is @stopstream ({slack.bot_user}) in {slack.domain} (" in said
    assert "SLACK_APP_TOKEN opens a socket" in said
    assert f"audit lines go to #audit ({AUDIT}), and the bot is in it" in said
    assert "policy.yml is valid: 1 role, no limits" in said
    assert "tencent cloud: the key is from the environment" in said


async def test_check_tells_of_a_role_and_when_its_key_lapses(installation: Installation) -> None:
    """A role that is assumed is named with the end of its key; one that is refused is to be fixed.

    The emulated cloud knows no role until the test names one.
    """
    arn = "qcs::cam::uin/100000000001:roleName/stopper"
    installation.environment["TENCENTCLOUD_ROLE_ARN"] = arn
    code, lines = await installation.check()
    assert code == FAILED
    assert any("ResourceNotFound.RoleNotFound" in line and "FIX" in line for line in lines), lines
    assert not [line for line in lines if "the key is from" in line], "there is none"

    installation.cloud.sts.roles[arn] = Role(trusts=frozenset({"AKIDDEMODEMO"}))
    code, lines = await installation.check()

    assert code == DONE, lines
    (line,) = [one for one in lines if one.startswith("ok ") and arn in one]
    assert "assumed with the key from the environment; it lapses at 20" in line


async def test_check_of_alerts(installation: Installation) -> None:
    """It names the routes that are open, their channel, and a secret without one."""
    environment = {**installation.environment, "STOPSTREAM_GENERIC_SECRET": "s" * 20}
    code, lines = await replace(installation, environment=environment).check()
    assert code == FAILED
    assert any(line.startswith("FIX STOPSTREAM_ALERT_CHANNEL: is missing") for line in lines)

    environment |= {"STOPSTREAM_ALERT_CHANNEL": AUDIT}
    code, lines = await replace(installation, environment=environment).check()
    assert code == DONE, lines
    assert f"ok  alerts: /hooks/generic for {AUDIT}" in lines
    assert f"ok  slack: alert lines go to #audit ({AUDIT}), and the bot is in it" in lines

    environment |= {"STOPSTREAM_LIVE_CALLBACK_KEY": "k" * 20}
    _, lines = await replace(installation, environment=environment).check()
    callbacks = "ok  callbacks: /hooks/live has a key; flagged content is shown in"
    assert f"{callbacks} {AUDIT}" in lines


async def test_check_of_the_webhook(installation: Installation) -> None:
    """It says which host hears of events, and sends nothing; never an address or a secret."""
    environment = installation.environment | {
        "STOPSTREAM_WEBHOOK_URL": "https://events.example.com/in?token=abcdef",
        "STOPSTREAM_WEBHOOK_SECRET": f"whsec_{'QUJD' * 8}",
    }
    code, lines = await replace(installation, environment=environment).check()
    (line,) = [one for one in lines if one.startswith("ok  webhook")]
    assert code == DONE, lines
    assert line == (
        "ok  webhook: events go to events.example.com, signed with its secret; nothing was sent now"
    )
    assert "abcdef" not in "".join(lines)


async def test_check_of_callback_keys(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that is named and absent is to be fixed; an account that names none is said."""
    accounts = """
accounts:
  main: {secret_id: M_ID, secret_key: M_KEY, callback_key: M_CALLBACK}
  radio: {secret_id: M_ID, secret_key: M_KEY}
"""
    everywhere = POLICY.replace("actions: ['*']", "actions: ['*'], accounts: ['*']")
    installation.policy.write_text(everywhere + accounts)
    for name, value in (("M_ID", "AKIDDEMODEMO"), ("M_KEY", "demo")):
        monkeypatch.setenv(name, value)
    code, lines = await installation.check()
    assert code == FAILED
    absent = "accounts.main.callback_key: the variable M_CALLBACK is not set"
    assert any(line.startswith("FIX") and line.endswith(absent) for line in lines)

    monkeypatch.setenv("M_CALLBACK", "k" * 20)
    _, lines = await installation.check()
    (line,) = [one for one in lines if "callbacks:" in one]
    assert line.startswith("ok  callbacks: radio has no key, so its callbacks are refused")


def _leave(slack: Workspace) -> None:
    slack.channels[AUDIT].members.discard(slack.bot_user)


def _archive(slack: Workspace) -> None:
    slack.channels[AUDIT].is_archived = True


def _remove(slack: Workspace) -> None:
    del slack.channels[AUDIT]


_HIDDEN = "it does not exist, or it is private and the bot is not in it (/invite @stopstream)"


@pytest.mark.parametrize(
    ("break_it", "line"),
    [
        (
            _leave,
            f"the bot is not in the audit channel #audit ({AUDIT}): type /invite @stopstream there",
        ),
        (_archive, f"the audit channel #audit ({AUDIT}) is archived"),
        (
            _remove,
            f"the audit channel {AUDIT} is not found: {_HIDDEN}",
        ),
    ],
)
async def test_check_reads_the_audit_channel(
    installation: Installation, break_it: Callable[[Workspace], None], line: str
) -> None:
    """An audit channel that does not exist, is archived or lacks the bot is one line to fix."""
    break_it(installation.slack)

    code, lines = await installation.check()

    assert code == FAILED
    assert [one for one in lines if one.startswith("FIX")] == [f"FIX slack: {line}"]


async def test_check_opens_a_socket_with_the_app_token(installation: Installation) -> None:
    """An app-level token that Slack does not take is found before the start."""
    installation.environment["SLACK_APP_TOKEN"] = "xapp-of-another-app"

    code, lines = await installation.check()

    assert code == FAILED
    wrong = "FIX slack: SLACK_APP_TOKEN opens no socket: Slack refused it (invalid_auth)"
    assert [one for one in lines if one.startswith("FIX")] == [wrong]


async def test_check_reports_everything_at_once(installation: Installation) -> None:
    """A wrong policy, both wrong tokens and a wrong key are all found in one run."""
    installation.policy.write_text(POLICY.replace("'*'", "Dorp"))
    installation.environment |= {
        "SLACK_BOT_TOKEN": "xoxb-of-another-app",
        "SLACK_APP_TOKEN": "xapp-of-another-app",
    }

    code, lines = await installation.check(names=("STOPSTREAM_POLCY",))

    assert code == FAILED
    wrong = [one for one in lines if one.startswith("FIX")]
    assert len(wrong) == 4
    for part in ("did you mean STOPSTREAM_POLICY?", '"Dorp"', "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"):
        assert any(part in one for one in wrong), part


async def test_check_goes_on_without_what_cannot_be_used(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables that can't be used are each reported once, and the rest is checked all the same."""
    environment = installation.environment
    environment |= {"SLACK_BOT_TOKEN": "xoxp-of-a-user", "STOPSTREAM_LISTEN": "3000"}
    del environment["TENCENTCLOUD_SECRET_KEY"]

    code, printed = await installation.check_environment(monkeypatch, environment)

    assert code == USAGE
    assert sorted(printed.err.splitlines()) == [
        "FIX SLACK_BOT_TOKEN: a bot token begins with xoxb-",
        "FIX STOPSTREAM_LISTEN: is not host:port",
        "FIX TENCENTCLOUD_SECRET_KEY: is missing; id and key go together",
    ]
    assert "policy.yml is valid" in printed.out
    assert "SLACK_BOT_TOKEN: is missing" not in printed.out


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "roles: {}\n", "limits: []\n"])
async def test_check_calls_no_empty_policy_valid(installation: Installation, text: str) -> None:
    """A policy file under which nobody may do anything is something to fix."""
    installation.policy.write_text(text)

    code, lines = await installation.check()

    assert code == FAILED
    (wrong,) = (one for one in lines if one.startswith("FIX"))
    assert "has no roles, so nobody may do anything; stopstream policy init writes" in wrong


async def test_check_tells_how_to_get_a_policy(installation: Installation) -> None:
    """A policy file that is missing is one line, with the command that writes one."""
    installation.policy.unlink()

    code, lines = await installation.check()

    assert code == FAILED
    how = f"FIX {installation.policy}: does not exist; stopstream policy init writes a first one"
    assert [one for one in lines if one.startswith("FIX")] == [how]


async def test_check_looks_for_the_owner(installation: Installation) -> None:
    """A channel or person to turn to that is not there any more is to be fixed."""
    slack = installation.slack
    slack.user("U0ALICE", "alice")
    slack.user("U0GONE", "gone", deleted=True)
    slack.channel("C0OPEN", "help", bot=False)
    for owner, said in (
        ("U0ALICE", "ok  slack: people are sent to @alice (U0ALICE)"),
        ("C0OPEN", "ok  slack: people are sent to #help (C0OPEN)"),
        ("U0NOPE", "FIX slack: STOPSTREAM_OWNER, U0NOPE, is nobody in this workspace"),
        ("C0NOPE", "FIX slack: STOPSTREAM_OWNER, C0NOPE, is not found: it does not exist, or"),
        ("U0GONE", "FIX slack: STOPSTREAM_OWNER, U0GONE, is deactivated"),
    ):
        environment = installation.environment | {"STOPSTREAM_OWNER": owner}
        code, lines = await replace(installation, environment=environment).check()

        assert [one for one in lines if owner in one and one.startswith(said)], lines
        assert code == (DONE if said.startswith("ok") else FAILED)


async def test_check_goes_on_beside_the_secrets_folder(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is unreadable, leads nowhere or is misspelt there is named, and the rest is checked."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "STOPSTREAM_AUDIT_KEY").mkdir()
    (folder / "STOPSTREAM_OWNER").symlink_to("gone")
    for misspelt in ("STOPSTREAM_ALERT_CHANEL", "slack_signing_secret", "SLACK_BOT_TOKEN.txt"):
        (folder / misspelt).write_text("x")
    (folder / "db_password").write_text("x")
    environment = installation.environment | {"STOPSTREAM_SECRETS_DIR": str(folder)}
    del environment["SLACK_BOT_TOKEN"]

    code, printed = await installation.check_environment(monkeypatch, environment)

    assert code == USAGE
    assert sorted(printed.err.splitlines()) == [
        "FIX STOPSTREAM_AUDIT_KEY: its file in STOPSTREAM_SECRETS_DIR: Is a directory",
        "FIX STOPSTREAM_OWNER: its file in STOPSTREAM_SECRETS_DIR: leads to no file",
    ]
    assert "policy.yml is valid" in printed.out
    assert [one for one in printed.out.splitlines() if "did you mean" in one] == [
        f"FIX STOPSTREAM_SECRETS_DIR: {file} is no setting; did you mean {meant}?"
        for file, meant in (
            ("SLACK_BOT_TOKEN.txt", "SLACK_BOT_TOKEN"),
            ("STOPSTREAM_ALERT_CHANEL", "STOPSTREAM_ALERT_CHANNEL"),
            ("slack_signing_secret", "SLACK_SIGNING_SECRET"),
        )
    ]
    assert "db_password" not in printed.out


async def test_check_goes_on_without_the_secrets_folder(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is not there is one line, once, and the rest is checked."""
    environment = installation.environment | {"STOPSTREAM_SECRETS_DIR": "/nowhere/secrets"}

    code, printed = await installation.check_environment(monkeypatch, environment)

    assert code == USAGE
    (line,) = printed.err.splitlines()
    assert line.startswith("FIX STOPSTREAM_SECRETS_DIR: is not a folder")
    assert "STOPSTREAM_SECRETS_DIR" not in printed.out
    assert "policy.yml is valid" in printed.out


async def test_check_names_a_full_disk(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk without room for the database or the sink is named, with the file on it."""
    lay_schema(tmp_path / "stopstream.db")
    copy = tmp_path / "copy.jsonl"
    copy.touch()
    installation.environment["STOPSTREAM_AUDIT_SINK"] = str(copy)
    code, lines = await installation.check()
    assert code == DONE, lines

    full = shutil.disk_usage(tmp_path)._replace(free=200_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: full)
    code, lines = await installation.check()

    assert code == FAILED
    assert [one for one in lines if one.startswith("FIX")] == [
        f"FIX {subject}: 0.2 MB are left on the disk of {file}: make room"
        for subject, file in (("database", tmp_path / "stopstream.db"), ("audit sink", copy))
    ]
