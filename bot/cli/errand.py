"""One `run` or `decide` at a terminal: its last line says what may have run, whatever ends it."""

import asyncio
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from bot.cli.output import FAILED, complain, one_line
from bot.cli.settings import Settings
from bot.cli.store_place import place_of, sentence_of
from bot.cli.wiring import Parts
from bot.errors import StoreError
from bot.model.lifecycle import ENDINGS
from bot.model.operations import Operation, State
from bot.operations.transitions import UnstoredAnswer

PATIENCE = 3.0
"""Seconds between two looks at what is in the way of an ending."""

GRACE = 8.0
"""Seconds after a signal in which what is under way may end."""

_LEFT = 15.0
"""Seconds after which what is not worked on here is left: another replica takes it up in 10."""

_BLOCKED = 1.0
"""Seconds after which a loop that has not obeyed a signal is blocked, and the next one ends it."""


class Errand:
    """What a command has done so far.

    Attributes:
        operation: Id of what may run; empty while it is not known.
        begun: Whether something may be recorded, or sent, by now.
        told: The exit code, once the outcome was printed.
        grace: Seconds that what is under way may take at the end.
    """

    def __init__(self, settings: Settings) -> None:
        self.operation = ""
        self.begun = False
        self.told: int | None = None
        self.grace = GRACE
        self._settings = settings
        self._stop = asyncio.Event()
        self._said: set[str] = set()

    async def carry_out(self, work: Callable[["Errand"], Awaitable[int]]) -> int:
        """Do the work; where it breaks off, say whether anything may have run."""
        try:
            with self._obeying_signals():
                self.told = await work(self)
        except StoreError as error:
            error.place = place_of(self._settings)
            self._break_off(sentence_of(error))
        except (asyncio.CancelledError, KeyboardInterrupt):
            self._break_off("it was interrupted")
        return FAILED if self.told is None else self.told

    def begin(self, operation: str = "") -> None:
        """Note that something may be recorded, or sent, from here on."""
        self.operation, self.begun = operation, True

    def undo_begin(self) -> None:
        """Note that nothing was recorded after all."""
        self.begun = False

    async def ending(self, parts: Parts) -> Operation | None:
        """Wait until the operation has ended or waits for somebody, and say what is in the way.

        Returns:
            The operation as it is known at last, which need not be an ending after a signal; None
            where it can't be read.
        """
        waiting = asyncio.create_task(parts.operations.worker.ending(self.operation))
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await self._wait(parts, waiting, stopping)
            return waiting.result() if waiting.done() else await self._leave(parts)
        finally:
            waiting.cancel()
            stopping.cancel()

    async def _wait(
        self, parts: Parts, waiting: "asyncio.Task[Operation]", stopping: "asyncio.Task[bool]"
    ) -> None:
        loop, worker = asyncio.get_running_loop(), parts.operations.worker
        worked_on = loop.time()
        while True:
            first = asyncio.FIRST_COMPLETED
            await asyncio.wait({waiting, stopping}, timeout=PATIENCE, return_when=first)
            if waiting.done():
                return
            if stopping.done():
                complain(f"waiting up to {GRACE:g} s for what is under way; again: leave now")
                await asyncio.wait({waiting}, timeout=GRACE)
                return
            if worker.has(self.operation):
                worked_on = loop.time()
            elif loop.time() - worked_on > _LEFT:
                return
            await self._tell(parts)

    async def _tell(self, parts: Parts) -> None:
        """Say what keeps the ending from being known, each cause once."""
        worker = parts.operations.worker
        if (answer := worker.unstored(self.operation)) is not None:
            self._say_once("unstored", self._answered(answer, "it can't be recorded yet"))
            return
        try:
            found = await parts.store.operations.get(self.operation)
        except StoreError as error:
            error.place = place_of(self._settings)
            self._say_once("unread", f"{self._may_run()} Now: {sentence_of(error)}; I try again")
            return
        if found is not None and not worker.has(self.operation):
            self._say_once("left", _left(found))

    async def _leave(self, parts: Parts) -> Operation | None:
        """Hand over what is under way, and say what is known of it."""
        worker = parts.operations.worker
        answer = worker.unstored(self.operation)
        await worker.stop(0.0)
        if answer is not None:
            complain(self._answered(answer, "keep this line, because it is not recorded"))
            return None
        try:
            found = await parts.store.operations.get(self.operation)
        except StoreError:
            found = None
        if found is None:
            complain(self._may_run())
        elif found.state not in ENDINGS and found.state is not State.WAITING:
            self._say_once("left", _left(found))
        return found

    def _answered(self, answer: UnstoredAnswer, but: str) -> str:
        """Return what Tencent Cloud has answered, and why nobody else can know it."""
        match answer.state:
            case State.ACCEPTED:
                what = "Tencent Cloud accepted it" if answer.request_id else "it went through"
            case State.ALREADY:
                what = "it was over before"
            case State.FAILED:
                code = f": {answer.code}" if answer.code else ""
                what = f"Tencent Cloud refused it{code}" if answer.request_id else "it failed"
            case _:
                what = "it may have run"
        by = f" (RequestId {answer.request_id})" if answer.request_id else ""
        why = f"the database {place_of(self._settings)}: {answer.why}"
        again = "; I try again until it can, Ctrl-C leaves" if "yet" in but else ""
        return one_line(f"operation {self.operation}: {what}{by}; {but}: {why}{again}")

    def _break_off(self, why: str) -> None:
        if self.told is not None:
            return
        if not self.begun:
            urgent = "if it is urgent, do it in the Tencent Cloud console"
            complain(f"nothing was sent: {why}; {urgent}")
        elif self.operation:
            complain(f"{self._may_run()} Now: {why}")
        else:
            look = "stopstream pending and stopstream audit tail"
            complain(f"it may have been recorded, and run: look with {look}. Now: {why}")

    def _may_run(self) -> str:
        id_ = one_line(self.operation)
        return f"operation {id_} may have run, or may yet: look with stopstream audit show {id_}."

    def _say_once(self, cause: str, line: str) -> None:
        if cause not in self._said:
            self._said.add(cause)
            complain(line)

    @contextmanager
    def _obeying_signals(self) -> Iterator[None]:
        """Let SIGINT and SIGTERM end the work as soon as what may run is known."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        due: list[float] = []

        def end() -> None:
            due.clear()
            if self.begun and self.told is None and not self._stop.is_set():
                self._stop.set()
            elif task is not None:
                self.grace = 0.0
                task.cancel()

        def obey(_number: int, _frame: object) -> None:
            if not due:
                due.append(time.monotonic())
                loop.call_soon_threadsafe(end)
            elif time.monotonic() - due[0] > _BLOCKED:
                raise KeyboardInterrupt

        before = {one: signal.signal(one, obey) for one in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)


def _left(operation: Operation) -> str:
    """Return what is to be known of an operation that this terminal leaves to others."""
    look = f"stopstream audit show {operation.id} tells"
    if operation.state is State.RUNNING:
        return f"operation {operation.id} was sent and may have run: {look}"
    return (
        f"operation {operation.id} is recorded and was not sent: a bot that serves takes it up, if "
        f"there is one; {look}"
    )
