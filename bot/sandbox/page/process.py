"""The demo's bot in a process of its own, so that it can be killed and started again."""

import asyncio
import contextlib
import json
import os
import sys
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_OURS = ("SLACK_", "STOPSTREAM_", "TENCENTCLOUD_")
_LINES = 300
_GRACE = 10.0


class BotProcess:
    """`stopstream serve` as a child.

    Args:
        settings: By environment name; nothing else of these names reaches the child.
        changed: Called when it comes, goes or says something.

    Attributes:
        starts: How often it was started.
        lines: What it logged last, each with its number.
    """

    def __init__(self, settings: Mapping[str, str], changed: Callable[[], None]) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        self._environment = {**kept, **settings, "STOPSTREAM_LOG_FORMAT": "json"}
        self._changed = changed
        self._child: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._said = 0
        self.starts = 0
        self.lines: deque[tuple[int, dict[str, Any]]] = deque(maxlen=_LINES)

    @property
    def pid(self) -> int:
        """Its process id; 0 while there is none."""
        return self._child.pid if self._child is not None and self.runs else 0

    @property
    def runs(self) -> bool:
        """Whether there is a process."""
        return self._child is not None and self._child.returncode is None

    async def start(self) -> None:
        """Start it, unless it runs."""
        async with self._turn:
            if self.runs:
                return
            self._child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "bot",
                "serve",
                cwd=Path(__file__).parents[3],
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
            self.starts += 1
            self._listening = asyncio.create_task(self._listen(self._child))
            self._note({"event": "the process is started", "pid": self._child.pid})

    async def kill(self) -> None:
        """End it as a crash would: signal 9, no word to anybody."""
        async with self._turn:
            if self._child is not None and self.runs:
                self._child.kill()
                await self._gone()

    async def stop(self) -> None:
        """Ask it to stop, and make it if it takes too long."""
        async with self._turn:
            if self._child is None or not self.runs:
                return
            self._child.terminate()
            try:
                async with asyncio.timeout(_GRACE):
                    await self._gone()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    self._child.kill()
                await self._gone()

    async def _gone(self) -> None:
        if self._listening is not None:
            await asyncio.shield(self._listening)

    async def _listen(self, child: asyncio.subprocess.Process) -> None:
        """Keep what it says until it is gone."""
        if child.stderr is not None:
            async for raw in child.stderr:
                self._note(_read(raw.decode(errors="replace").rstrip()))
        code = await child.wait()
        self._note({"event": "the process is gone", "pid": child.pid, "exit_code": code})

    def _note(self, line: dict[str, Any]) -> None:
        self._said += 1
        line.setdefault("timestamp", datetime.now(UTC).isoformat())
        self.lines.append((self._said, line))
        self._changed()


def _read(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = line
    return found if isinstance(found, dict) else {"event": line}
