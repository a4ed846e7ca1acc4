"""`stopstream` as a process of its own, between emulators that live in the test."""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.cli.demo import AUDIT
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.server import CloudEmulator
from tests.support.paths import ROOT


class Process:
    """`stopstream` in a process of its own, between emulators that live here."""

    def __init__(self, folder: Path, slack: Workspace, cloud: CloudEmulator) -> None:
        self._env = {
            "PATH": os.environ["PATH"],
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_APP_TOKEN": slack.app_token,
            "SLACK_API_URL": slack.api_url,
            "TENCENTCLOUD_SECRET_ID": "AKIDDEMODEMO",
            "TENCENTCLOUD_SECRET_KEY": "demo",
            "STOPSTREAM_TENCENT_URL": cloud.url,
            "STOPSTREAM_POLICY": str(folder / "policy.yml"),
            "STOPSTREAM_DATABASE_URL": f"sqlite:///{folder / 'p.db'}",
            "STOPSTREAM_AUDIT_CHANNEL": AUDIT,
            "STOPSTREAM_AUDIT_KEY_FILE": str(folder / "trail.key"),
            "STOPSTREAM_LISTEN": "127.0.0.1:0",
        }

    async def start(
        self, *arguments: str, env: Mapping[str, str] | None = None, quiet: bool = False
    ) -> Any:
        said = asyncio.subprocess.DEVNULL if quiet else asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot",
            *arguments,
            cwd=ROOT,
            env={**self._env, **(env or {})},
            stdout=said,
            stderr=said,
        )

    async def run(
        self, *arguments: str, env: Mapping[str, str] | None = None
    ) -> tuple[int, str, str]:
        process = await self.start(*arguments, env=env)
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()
