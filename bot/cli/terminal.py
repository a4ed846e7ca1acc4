"""The commands that run once and exit, by name; they use the same rules and audit log as Slack."""

import argparse
import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from bot import telemetry
from bot.cli import audit, callbacks, cam_policy, check, database, pending, policy
from bot.cli import run as operations
from bot.cli.misspelt import set_names
from bot.cli.settings import Settings, read_settings, read_usable_settings
from bot.cli.store_place import naming_database

Command = Callable[[Settings, argparse.Namespace], Coroutine[Any, Any, int]]

COMMANDS: Mapping[str, Command] = {
    "audit": audit.run,
    "callbacks": callbacks.show,
    "cam-policy": cam_policy.cam_policy,
    "db": database.run,
    "decide": operations.decide,
    "off": pending.off,
    "pending": pending.pending,
    "policy": policy.run,
    "run": operations.run,
}


def run(options: argparse.Namespace) -> int:
    """Run one command and return its exit code."""
    if options.command == "check":
        settings, unusable = read_usable_settings()
        telemetry.configure(settings.log_format, level="ERROR", secrets=settings.secrets())
        return asyncio.run(check.check(settings, names=set_names(os.environ), unusable=unusable))
    settings = read_settings()
    telemetry.configure(settings.log_format, level="ERROR", secrets=settings.secrets())
    with naming_database(settings):
        return asyncio.run(COMMANDS[options.command](settings, options))
