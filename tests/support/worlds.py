"""The demo's emulators and the bot in one process, on a database whose schema is there."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from bot.cli import demo
from bot.cli.demo import Emulated, Sandbox
from tests.support.databases import lay_schema


@contextlib.asynccontextmanager
async def sandbox(folder: Path, **given: Any) -> AsyncIterator[Sandbox]:
    """Run the emulators and the bot between them."""
    lay_schema(folder / "stopstream.db")
    async with demo.sandbox(folder, **given) as world:
        yield world


@contextlib.asynccontextmanager
async def emulated(folder: Path, **given: Any) -> AsyncIterator[Emulated]:
    """Run the emulators alone."""
    lay_schema(folder / "stopstream.db")
    async with demo.emulated(folder, **given) as world:
        yield world
