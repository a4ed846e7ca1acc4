"""`stopstream` as a process of its own, between emulators that live in the test."""

import asyncio
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bot.cli.main import main
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.server import CloudEmulator
from tests.support.paths import ROOT
from tests.support.worlds import environment

# A process that has imported the program and starts each command as a fork of itself.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["bot.cli.serve", "bot.cli.terminal"])


def _fork(arguments: Sequence[str], env: Mapping[str, str], out: str, err: str) -> None:
    """Run one command as a new process would, with its streams in two files."""
    os.environ.clear()
    os.environ.update(env)
    for number, file in ((1, out), (2, err)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
    sys.exit(main(arguments))


class Process:
    """`stopstream` in a process of its own, between emulators that live here."""

    def __init__(self, folder: Path, slack: Workspace, cloud: CloudEmulator) -> None:
        self._env = environment(folder, slack, cloud, ("AKIDDEMODEMO", "demo"))

    async def start(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        quiet: bool = False,
        before: str = "",
    ) -> Any:
        """Start a command.

        Args:
            before: Python that the process runs first.
        """
        said = asyncio.subprocess.DEVNULL if quiet else asyncio.subprocess.PIPE
        code = f"{before}\nimport runpy; runpy.run_module('bot', run_name='__main__')"
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *(("-c", code) if before else ("-m", "bot")),
            *arguments,
            cwd=ROOT,
            env={**self._env, **(env or {})},
            stdout=said,
            stderr=said,
        )

    async def run(
        self, *arguments: str, env: Mapping[str, str] | None = None
    ) -> tuple[int, str, str]:
        """Run a command that ends; return its exit code and what it printed.

        It is a process of its own, forked from one that has imported the program: what takes a
        second in `start` is done once.
        """
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder) / "out", Path(folder) / "err"
            given = (arguments, {**self._env, **(env or {})}, str(out), str(err))
            process = _FORKS.Process(target=_fork, args=given)
            await asyncio.to_thread(process.start)
            await asyncio.to_thread(process.join)
            assert process.exitcode is not None
            return process.exitcode, out.read_text(), err.read_text()
