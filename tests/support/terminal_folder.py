"""A folder in which commands of the terminal run in this process, without Slack."""

from pathlib import Path

import pytest


def enter_folder(folder: Path, policy: str, patch: pytest.MonkeyPatch) -> Path:
    """Enter a folder with a policy, in which no database is set, and return it."""
    # The log of this process is not the command's.
    patch.setattr("bot.telemetry.configure", lambda *_, **__: None)
    for name in ("STOPSTREAM_DATABASE_URL", "SLACK_BOT_TOKEN"):
        patch.delenv(name, raising=False)
    patch.setenv("TENCENTCLOUD_SECRET_ID", "AKIDTEST")
    patch.setenv("TENCENTCLOUD_SECRET_KEY", "test")
    patch.setenv("STOPSTREAM_TENCENT_URL", "http://127.0.0.1:9")
    patch.chdir(folder)
    (folder / "policy.yml").write_text(policy)
    return folder
