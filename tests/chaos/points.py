"""The points of a process: every place in our code where a task goes to sleep or wakes up."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Coroutine, Generator
from pathlib import Path
from typing import Any

from bot.storage.writer import Writer
from tests.support.paths import ROOT

_OURS = (str(ROOT / "bot") + "/", str(ROOT / "handlers") + "/")


class Points:
    """Notes every point that is passed, and dies at one of them.

    Args:
        log: New points are written here, a line each.
        target: Where to die; empty for nowhere.
        nth: At which passing.
    """

    def __init__(self, log: Path, target: str = "", nth: int = 1) -> None:
        self._log = os.open(log, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        self._seen: set[str] = set()
        self._target = target
        self._left = nth

    def passing(self, point: str) -> None:
        if point not in self._seen:
            self._seen.add(point)
            # Where its disk is full, it is the bot that must bear it, and not what watches it.
            with contextlib.suppress(OSError):
                os.write(self._log, f"{point}\n".encode())
        if point == self._target:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def watch_tasks(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let every task of a loop pass its points."""

        def task(
            loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **given: Any
        ) -> asyncio.Task[Any]:
            return asyncio.Task(_Watched(work, self), loop=loop, **given)

        loop.set_task_factory(task)  # type: ignore[arg-type] # the stubs know no keywords here

    def watch_commits(self) -> None:
        """Let the writer pass a point on each side of its commits."""
        commit = Writer._commit  # noqa: SLF001 (the one moment that matters most)

        def watched(writer: Writer, jobs: Any) -> Any:
            names = sorted({job.work.__name__.strip("_") for job in jobs})
            for name in names:
                self.passing(f"commit {name}: before")
            done = commit(writer, jobs)
            for name in names:
                self.passing(f"commit {name}: after")
            return done

        Writer._commit = watched  # type: ignore[method-assign, assignment] # noqa: SLF001 (see above)


class _Watched(Coroutine[Any, Any, Any]):
    """A task's coroutine that says where it falls asleep and wakes up."""

    def __init__(self, work: Coroutine[Any, Any, Any], points: Points) -> None:
        self._work = work
        self._points = points
        self._asleep_at = ""

    def send(self, value: Any) -> Any:
        self._wakes()
        return self._sleeps(self._work.send(value))

    def throw(self, *error: Any) -> Any:
        self._wakes()
        return self._sleeps(self._work.throw(*error))

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._work.__await__()

    def _wakes(self) -> None:
        if self._asleep_at:
            self._points.passing(f"{self._asleep_at}: wakes")

    def _sleeps(self, waits_for: Any) -> Any:
        self._asleep_at = _where(self._work)
        if self._asleep_at:
            self._points.passing(f"{self._asleep_at}: sleeps")
        return waits_for


def _where(work: Any) -> str:
    """Name the innermost line of ours that waits; empty where none does."""
    found = ""
    while work is not None:
        frame = getattr(work, "cr_frame", None) or getattr(work, "gi_frame", None)
        if frame is not None and frame.f_code.co_filename.startswith(_OURS):
            file = Path(frame.f_code.co_filename).relative_to(ROOT)
            found = f"{file}:{frame.f_lineno} {frame.f_code.co_name}"
        work = getattr(work, "cr_await", None) or getattr(work, "gi_yieldfrom", None)
    return found
