"""Fails each system call on the database's files in turn, and looks at what is left on disk."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from bot.storage import database
from bot.storage.store import Store
from bot.storage.tables import operations
from tests.support import traced
from tests.support.databases import lay_schema
from tests.support.disk_writer import DONE, REFUSED, SIGNER

COUNT = 4
"""Operations that each process stores."""

CALLS = (
    *("openat", "pread64", "pwrite64", "fsync", "fdatasync", "ftruncate", "fallocate"),
    *("fcntl", "unlink", "newfstatat", "mmap"),
)
WRITER = "tests.support.disk_writer"
_HEARD = re.compile(r"^(.*) (op\d+)$", re.MULTILINE)


@dataclass
class DiskTrial:
    """What became of each call that failed.

    Attributes:
        failed: How many calls were failed, by name.
        heard: What the process said of its operations.
        not_started: How often it could not start at all.
        wrong: What must not be.
    """

    failed: Counter[str] = field(default_factory=Counter)
    heard: Counter[str] = field(default_factory=Counter)
    not_started: int = 0
    wrong: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Describe it."""
        calls = ", ".join(f"{name} {count}" for name, count in sorted(self.failed.items()))
        said = ", ".join(f"{what} {count}" for what, count in sorted(self.heard.items()))
        yield f"{self.failed.total()} calls failed with EIO: {calls}"
        yield f"of {COUNT} operations each: {said}; not started: {self.not_started}"
        yield f"wrong: {len(self.wrong)}"
        yield from self.wrong


async def disk(folder: Path) -> DiskTrial:
    """Fail every call that a process makes on the database's files, one in each process.

    What was acknowledged must be there, what was refused must not, and the file and its audit
    log must be whole.
    """
    if why := traced.why_not():
        raise SystemExit(why)
    trial = DiskTrial()
    made = sorted(_made(folder / "plain").items())
    cases = [(name, number) for name, count in made for number in range(1, count + 1)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda case: _run_failing(folder, *case), cases)
        for (name, number), heard in zip(cases, results, strict=True):
            trial.failed[name] += 1
            trial.heard.update(what for what, _ in heard)
            trial.not_started += not heard
            wrong = await _faults(folder / f"{name}-{number}", heard)
            trial.wrong += [f"{name} {number}: {what}" for what in wrong]
    return trial


def _run_failing(folder: Path, name: str, number: int) -> list[tuple[str, str]]:
    """Run a process whose call of that name and number fails."""
    return _run(folder / f"{name}-{number}", name, f"inject={name}:error=EIO:when={number}")


def _made(folder: Path) -> Counter[str]:
    """Count the calls of a process whose disk works."""
    heard = _run(folder, ",".join(CALLS))
    assert [what for what, _ in heard] == [DONE] * COUNT, heard
    return Counter(call.name for call in traced.calls(folder / "strace.log"))


def _run(folder: Path, trace: str, inject: str = "") -> list[tuple[str, str]]:
    """Run a process in a new folder; return what it said of each operation."""
    folder.mkdir()
    file = folder / "disk.db"
    lay_schema(file)
    paths = [f"{file}{suffix}" for suffix in ("", "-wal", "-shm", "-journal")]
    options = ["-e", f"trace={trace}", *(["-e", inject] if inject else [])]
    options += [one for path in paths for one in ("-P", path)]
    log = folder / "strace.log"
    _, heard = traced.run(WRITER, str(COUNT), f"sqlite:///{file}", log=log, options=options)
    return [(found[1], found[2]) for found in _HEARD.finditer(heard)]


async def _faults(folder: Path, heard: list[tuple[str, str]]) -> list[str]:
    """Return what is wrong with a database after a fault, in the eyes of the next process."""
    engine = database.connect(f"sqlite:///{folder / 'disk.db'}")
    with engine.connect() as connection:
        whole = connection.execute(sa.text("PRAGMA integrity_check")).scalar()
        stored = set(connection.execute(sa.select(operations.c.id)).scalars())
    wrong = [] if whole == "ok" else [f"the file: {whole}"]
    for what, id_ in heard:
        if what == DONE and id_ not in stored:
            wrong.append(f"{id_} was acknowledged and is lost")
        if what == REFUSED and id_ in stored:
            wrong.append(f"{id_} was refused and is there")
    store = Store(engine, owner="after", signer=SIGNER)
    try:
        with store.audit_log.snapshot() as audited:
            found = audited.verify([SIGNER.public], lambda _seq: None).found or audited.first_gap()
    finally:
        await store.close()
    return [*wrong, *([f"the trail: {found.why}"] if found else [])]
