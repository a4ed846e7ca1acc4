"""Policy files made to freeze the bot, or to say less than they seem to."""

import asyncio
import contextlib
import itertools
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import aiohttp

from tests.trials.attack.target import POLICY, Attack, Target

_Make: TypeAlias = Callable[[Path], None]

_ENDS_WITHIN = 30.0
"""Seconds within which `policy check` ends, whatever the file is, on a busy machine, too."""

_SEEN_WITHIN = 20.0

_APP = 1_400_000_000
_IN_FILE = (
    *(f"{_APP}", f'"{_APP}"', f'"0{_APP}"', f'"+{_APP}"', f'" {_APP}"', f'"{_APP} "', f"{_APP}.0"),
    *("1.4e9", "1_400_000_000", "0x53724E00", '"14*"', '"140000000?"', f'"{_APP},2"', f"[{_APP}]"),
    *('"\uff11\uff14\uff10\uff10\uff10\uff10\uff10\uff10\uff10\uff10"', f'"{_APP}\u200b"', "true"),
)
"""How a file may spell the value that it denies."""

_TYPED = (f"{_APP}", f"0{_APP}", f"+{_APP}", f'"{_APP}"', f"{_APP}.0", "1.4e9", "1_400_000_000")
"""How a command may spell it."""


def _text(text: str | bytes) -> _Make:
    def make(file: Path) -> None:
        file.write_bytes(text.encode() if isinstance(text, str) else text)

    return make


def _link(to: str) -> _Make:
    return lambda file: file.symlink_to(to)


_LEVELS = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))
_FILES: dict[str, _Make] = {
    "a FIFO": os.mkfifo,
    "a device without end": _link("/dev/zero"),
    "a terminal": _link("/dev/tty"),
    "a folder": lambda file: file.mkdir(),
    "a link to itself": lambda file: file.symlink_to(file),
    "a link to nothing": _link("/nowhere/policy.yml"),
    "aliases of aliases": _text(f"a0: &a0 [x, x]\n{_LEVELS}\n"),
    "a merge of itself": _text(f"{POLICY}\nx: &x {{<<: *x}}\n"),
    "an alias of what holds it": _text("roles: &r {oncall: *r}\n"),
    "100,000 brackets": _text("roles: " + "[" * 100_000),
    "500,000 closed brackets": _text("roles: " + "[" * 250_000 + "]" * 250_000),
    "levels by indentation": _text("\n".join(" " * n + "a:" for n in range(1200))),
    "250,000 values": _text("targets: {" + ",".join(f"a{n}: x" for n in range(90_000)) + "}"),
    "2 MB": _text(POLICY + "#" * 2_000_000),
    "1 MB in one text": _text("roles: '" + "x" * 1_000_000 + "'"),
    "a role twice": _text(f"{POLICY}\nroles: {{}}\n"),
    "a key misspelt": _text(f"{POLICY}\nrole: {{}}\n"),
    "an object": _text("!!python/object/apply:os.system ['true']"),
    "two documents": _text(f"{POLICY}\n---\n{POLICY}"),
    "no text": _text(b"\x00\x01\x02\xff"),
    "half characters": _text(b"roles: {\xed\xa0\x80: {}}"),
}


async def policy_files(target: Target) -> Attack:
    """Put each in place of the policy: acks go on, and the old policy stays."""
    found, file = Attack("policy files"), target.world.policy
    before = target.changes()
    for number, (name, make) in enumerate(_FILES.items()):
        with _replaced(file, make):
            await _asked_meanwhile(target, found, name, f"live meanwhile{number}")
            code, said = await target.terminal("policy", "check", seconds=_ENDS_WITHIN)
            found.note(f"{name}: {code} {said[-300:]}", through=code in (-1, 0))
    async with _growing(file):
        await _asked_meanwhile(target, found, "a file that grows", "live meanwhile-growing")
    await target.quiet()
    asked, ran = len(_FILES) + 1, target.changes() - before
    found.note(f"{ran} of {asked} stops of the old policy ran", through=ran != asked)
    await target.settled(found, target.changes())
    return found


async def _asked_meanwhile(target: Target, found: Attack, name: str, text: str) -> None:
    """Ask while the bot looks at the file, which it does every second."""
    for asked, user in ((text, "U0ALICE"), *((f"{text}-denied", "U0MALLORY"),) * 10):
        ack = await target.type(asked, user)
        found.note(f"{name}: {ack.error}", through=bool(ack.error))
        await asyncio.sleep(0.15)


@contextlib.contextmanager
def _replaced(file: Path, make: _Make) -> Iterator[None]:
    """Put something in place of the policy, and the policy back afterwards."""
    kept, strange = file.with_suffix(".kept"), file.with_suffix(".strange")
    make(strange)
    file.rename(kept)
    strange.rename(file)
    try:
        yield
    finally:
        file.rmdir() if file.is_dir() and not file.is_symlink() else file.unlink()
        kept.rename(file)


@contextlib.asynccontextmanager
async def _growing(file: Path) -> AsyncIterator[None]:
    """Append to the policy all the time, up to 200 MB."""
    stop = asyncio.Event()

    def grow() -> None:
        with file.open("ab") as growing:
            for _ in range(3200):
                if stop.is_set():
                    return
                growing.write(b"#" * 65_535 + b"\n")
                growing.flush()

    thread = asyncio.create_task(asyncio.to_thread(grow))
    try:
        yield
    finally:
        stop.set()
        await thread
        await asyncio.to_thread(file.write_text, POLICY)


async def spellings(target: Target) -> Attack:
    """Deny a value in every spelling of a file: no spelling of a command passes it.

    What cannot be a value of it is refused; before each file nothing of the kind is allowed.
    """
    found, file = Attack("spellings of a denied value"), target.world.policy
    before = target.changes()
    allowed = POLICY.replace("DropLiveStream, ", "DropLiveStream, StopStreamIngest, ")
    names = itertools.count()
    for spelt in _IN_FILE:
        file.write_text(POLICY)
        await _in_force(target)
        file.write_text(f"{allowed}limits: [{_limit(spelt)}]\n")
        await _changed_policy(target, found, spelt)
        for typed in _TYPED:
            found.tried += 1
            text = f"ingest task-{next(names)} sdkappid={typed}"
            await target.type(text, "U0ALICE")
        await target.type(f"ingest task-{next(names)}", "U0ALICE")
    await target.quiet()
    file.write_text(POLICY)
    await _in_force(target)
    await target.settled(found, before)
    before = target.changes()
    file.write_text(f"{allowed}limits: [{_limit('2')}]\n")
    await _changed_policy(target, found, "another value")
    await target.type(f"ingest task-{next(names)}", "U0ALICE")
    await target.quiet()
    passes = target.changes() == before + 1
    found.note("a denial of another value denies this one, too", through=not passes)
    file.write_text(POLICY)
    await _in_force(target)
    return found


def _limit(spelt: str) -> str:
    return f"{{actions: [StopStreamIngest], where: {{SdkAppId: {spelt}}}, deny: true}}"


async def _changed_policy(target: Target, found: Attack, name: str) -> None:
    """Wait until the bot has looked at a new file, and loaded or refused it."""
    before = await _loads(target)
    try:
        async with asyncio.timeout(_SEEN_WITHIN):
            while await _loads(target) == before:  # noqa: ASYNC110 (another process)
                await asyncio.sleep(0.1)
    except TimeoutError:
        found.note(f"{name}: the file is not read", through=True)


async def _in_force(target: Target) -> None:
    """Wait until the file's own policy is in force."""
    async with asyncio.timeout(_SEEN_WITHIN):
        while "stopstream_policy_current 1.0" not in await _metrics(target):  # noqa: ASYNC110 (another process)
            await asyncio.sleep(0.1)


async def _loads(target: Target) -> list[str]:
    shown = await _metrics(target)
    return re.findall(r"^stopstream_policy_loads_total.*$", shown, re.MULTILINE)


async def _metrics(target: Target) -> str:
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{target.url}/metrics") as answer,
    ):
        return await answer.text()
