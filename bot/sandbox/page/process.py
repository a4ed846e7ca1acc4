"""The demo's bot in a process of its own, so that it can be killed and restarted."""

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

_OWN_PREFIXES = ("SLACK_", "STOPSTREAM_", "TENCENTCLOUD_")
_LINES = 300
_GRACE = 10.0


class BotProcess:
    """`stopstream serve` as a child.

    Args:
        settings: By environment variable; the child inherits no other variable of the bot.
        changed: Called when it starts, ends or logs a line.

    Attributes:
        starts: How often it was started.
        lines: The last lines of its log, each with its number.
        url: Where it listens, as its log says; empty before it does.
    """

    def __init__(self, settings: Mapping[str, str], changed: Callable[[], None]) -> None:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(_OWN_PREFIXES)
        }
        self._environment = {**kept, **settings, "STOPSTREAM_LOG_FORMAT": "json"}
        self._changed = changed
        self._child: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self._line_count = 0
        self.starts = 0
        self.url = ""
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
        """Start it unless it is running."""
        async with self._lock:
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
            self._reading = asyncio.create_task(self._read_log(self._child))
            self._append({"event": "the process is started", "pid": self._child.pid})

    async def kill(self) -> None:
        """End it as a crash would, with signal 9."""
        async with self._lock:
            if self._child is not None and self.runs:
                self._child.kill()
                await self._ended()

    async def stop(self) -> None:
        """Ask it to stop, and kill it if that takes too long."""
        async with self._lock:
            if self._child is None or not self.runs:
                return
            self._child.terminate()
            try:
                async with asyncio.timeout(_GRACE):
                    await self._ended()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    self._child.kill()
                await self._ended()

    async def _ended(self) -> None:
        if self._reading is not None:
            await asyncio.shield(self._reading)

    async def _read_log(self, child: asyncio.subprocess.Process) -> None:
        """Keep its log until it has ended."""
        if child.stderr is not None:
            async for raw in child.stderr:
                self._append(_parse(raw.decode(errors="replace").rstrip()))
        code = await child.wait()
        self._append({"event": "the process is gone", "pid": child.pid, "exit_code": code})

    def _append(self, line: dict[str, Any]) -> None:
        self._line_count += 1
        line.setdefault("timestamp", datetime.now(UTC).isoformat())
        self.lines.append((self._line_count, line))
        if line.get("event") == "listening":
            self.url = str(line.get("url", ""))
        self._changed()


def _parse(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = line
    return found if isinstance(found, dict) else {"event": line}
