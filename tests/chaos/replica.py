"""One replica, started and killed again and again."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Self

from tests.chaos.clock import turn
from tests.support.ports import free_port


class EndedError(Exception):
    """A replica ended by itself."""


class Victim:
    """One replica, which lives and dies again and again."""

    def __init__(self, number: int, folder: Path, env: dict[str, str], *, broken: str) -> None:
        self.number = number
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.points = folder / "points"
        self._env = {**env, "STOPSTREAM_LISTEN": f"127.0.0.1:{self.port}"}
        self._log = folder / f"replica-{number}.log"
        self._folder = folder
        self._broken = broken
        self.clock = folder / f"clock-{number}"
        self.pid = 0
        self._stem: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        turn(self.clock, 0.0)
        order = ["-m", "tests.chaos.clock", str(self.clock), "tests.chaos.victim"]
        with self._log.open("a") as log:
            self._stem = await asyncio.create_subprocess_exec(
                sys.executable,
                *order,
                *("--points", str(self.points), "--broken", self._broken),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=self._env,
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._stem is not None
        self.signal(signal.SIGKILL)
        self._stem.kill()
        await self._stem.wait()

    async def born(self, target: str = "", nth: int = 1) -> None:
        assert self._stem is not None
        assert self._stem.stdin is not None
        order = json.dumps({"target": target, "nth": nth})
        self._stem.stdin.write(f"{order}\n".encode())
        self.pid = int((await self._hear("born"))[1])

    async def dead(self) -> int:
        found = await self._hear("dead")
        self.pid = 0
        return int(found[1])

    def require_alive(self) -> None:
        """Raise EndedError if it has ended by itself."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            self.pid = 0
            raise EndedError(f"it ended by itself; see {self._log}") from None

    def signal(self, number: int) -> None:
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def _hear(self, word: str) -> list[str]:
        assert self._stem is not None
        assert self._stem.stdout is not None
        while line := (await self._stem.stdout.readline()).decode().split():
            if line[0] == word:
                return line
        raise RuntimeError(f"the victim is gone; see {self._log}")

    async def serves(self) -> bool:
        """Whether it listens, with Slack reached."""
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True
