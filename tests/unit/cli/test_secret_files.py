"""Settings in files: found by name, after the environment, and never waited for."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.cli.secret_files import variable
from bot.cli.settings import Settings, read_settings
from bot.errors import ConfigError

NO_FOLDER = "STOPSTREAM_SECRETS_DIR: is not a folder that this user may look into"


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.alias), raising=False)
    monkeypatch.setenv("STOPSTREAM_SECRETS_DIR", str(tmp_path))
    return tmp_path


def test_setting_is_read_from_the_file_of_its_name(folder: Path) -> None:
    """Every setting can lie in a file, with the end of line that editors leave."""
    (folder / "SLACK_BOT_TOKEN").write_text("xoxb-1\n")
    (folder / "STOPSTREAM_AUDIT_CHANNEL").write_text("C0AUDIT\r\n")
    (folder / "STOPSTREAM_TENCENT_SITE").write_text("mainland,trtc=intl")
    (folder / "STOPSTREAM_LISTEN").write_text("")
    settings = read_settings()

    assert settings.slack_bot_token is not None
    assert settings.slack_bot_token.get_secret_value() == "xoxb-1"
    assert settings.audit_channel == "C0AUDIT"
    assert settings.sites == {"": "mainland", "trtc": "intl"}
    assert settings.listen == "127.0.0.1:3000", "an empty file counts as absent"


def test_environment_wins_over_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is set hides the file."""
    (folder / "STOPSTREAM_AUDIT_CHANNEL").write_text("C0FILE")
    monkeypatch.setenv("STOPSTREAM_AUDIT_CHANNEL", "C0ENV")

    assert read_settings().audit_channel == "C0ENV"


def test_variable_that_the_policy_names_may_be_a_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keys of other accounts are secrets, too."""
    (folder / "EUROPE_KEY").write_text("from the file\n")
    assert variable("EUROPE_KEY") == "from the file"
    monkeypatch.setenv("EUROPE_KEY", "")
    assert variable("EUROPE_KEY") == "from the file", "an empty variable counts as absent"
    monkeypatch.setenv("EUROPE_KEY", "from the environment")
    assert variable("EUROPE_KEY") == "from the environment"
    assert variable("ASIA_KEY") is None


def test_file_that_cannot_be_read_is_one_line_each(folder: Path) -> None:
    """A pipe, a folder, something endless or binary stops the start, shows nothing, hangs never."""
    os.mkfifo(folder / "SLACK_BOT_TOKEN")
    (folder / "SLACK_APP_TOKEN").mkdir()
    (folder / "TENCENTCLOUD_SECRET_KEY").write_text("S" * 70_000)
    (folder / "SLACK_SIGNING_SECRET").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError) as refused:
        read_settings()

    named = sorted(problem.partition(":")[0] for problem in refused.value.problems)
    assert named == [
        "SLACK_APP_TOKEN",
        "SLACK_BOT_TOKEN",
        "SLACK_SIGNING_SECRET",
        "TENCENTCLOUD_SECRET_KEY",
    ]
    assert "SSSS" not in str(refused.value)


def test_value_in_a_file_is_checked_as_in_the_environment(folder: Path) -> None:
    """What is wrong with it is said without the value."""
    (folder / "SLACK_BOT_TOKEN").write_text("xoxp-5ECRE7")
    with pytest.raises(ConfigError) as refused:
        read_settings()

    assert refused.value.problems == ("SLACK_BOT_TOKEN: a bot token begins with xoxb-",)


def test_folder_that_is_not_there_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is named must exist; the usual one need not."""
    monkeypatch.setenv("STOPSTREAM_SECRETS_DIR", str(folder / "no"))
    with pytest.raises(ConfigError) as refused:
        read_settings()

    assert refused.value.problems == (NO_FOLDER,)


@pytest.mark.parametrize("inside", [".", "in"])
def test_folder_of_another_user_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    """A folder that was mounted for root alone is named; it is no traceback."""
    (folder / "in").mkdir()
    monkeypatch.setenv("STOPSTREAM_SECRETS_DIR", str(folder / inside))
    with _closed(folder), pytest.raises(ConfigError) as refused:
        read_settings()

    assert refused.value.problems == (NO_FOLDER,)


def test_name_that_no_file_can_have_is_one_line(folder: Path) -> None:
    """The policy may name any variable."""
    assert folder.is_dir()
    with pytest.raises(ConfigError, match="File name too long"):
        variable("A" * 300)


@contextlib.contextmanager
def _closed(folder: Path) -> Iterator[None]:
    """Close a folder to this process, which may be root's."""
    user = os.geteuid()
    folder.chmod(0)
    if user == 0:
        # Root may look into all; the saved id leads back.
        os.setresuid(65_534, 65_534, user)
    try:
        yield
    finally:
        os.seteuid(user)
        os.setresuid(user, user, user)
        folder.chmod(0o700)
