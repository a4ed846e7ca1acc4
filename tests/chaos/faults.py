"""What a campaign does to the replicas and to what they depend on, other than killing them."""

import asyncio
import contextlib
import random
import resource
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bot.sandbox.slack.workspace import Workspace
from tests.chaos.clock import turn
from tests.chaos.replica import Victim
from tests.chaos.victim import ANSWER_WITHIN, LEASE
from tests.support.database_relay import Relay

KILL = "kill"

FAULTS = (
    KILL,
    "pause",
    "lost-commit",
    "silent",
    "database-restart",
    "clock",
    "slack-answer-lost",
    "slack-error",
    "disk",
)

CLOCK = 262.0
"""Seconds by which the clock is turned at most: less than what Slack and Tencent Cloud refuse."""

EVERYWHERE = 0.1
"""The part of the silences in which every replica's connections fall silent at once."""

METHODS = ("chat.postMessage", "chat.update", "chat.postEphemeral")
PASSING = ("update_failed", "message_limit_exceeded")
"""Codes with which Slack refuses for a while."""
HALF_DONE = ("internal_error", "fatal_error", "service_unavailable")
"""Codes after which Slack may have done what was asked."""


@dataclass
class Around:
    """What the replicas depend on.

    Attributes:
        relays: Before PostgreSQL, one for each replica; none on SQLite.
        restart: Restarts PostgreSQL, without a clean end; None where there is none of ours.
    """

    slack: Workspace
    dice: random.Random
    relays: Sequence[Relay] = ()
    restart: Callable[[], None] | None = None


def possible(names: Sequence[str], around: Around) -> list[str]:
    """Return which of these faults can be done here."""
    return [
        name
        for name in names
        if (name != "silent" or around.relays) and (name != "database-restart" or around.restart)
    ]


async def do(name: str, victim: Victim, around: Around) -> None:
    """Do one fault, and end it."""
    dice, faults = around.dice, around.slack.faults
    match name:
        case "pause":
            victim.signal(signal.SIGSTOP)
            await asyncio.sleep(LEASE * dice.uniform(0.4, 3))
            victim.signal(signal.SIGCONT)
        case "lost-commit" | "silent" | "database-restart":
            await _harm_database(name, victim, around)
        case "clock":
            turn(victim.clock, dice.choice((-1, 1)) * dice.uniform(LEASE, CLOCK))
            await asyncio.sleep(dice.uniform(0.2, 2))
            turn(victim.clock, 0.0)
        case "slack-answer-lost":
            faults.lose_next[dice.choice(METHODS)] = dice.choice((1, 1, 2, 4))
            await asyncio.sleep(dice.uniform(0.1, 1))
        case "slack-error":
            code = dice.choice(PASSING + HALF_DONE)
            done = code in HALF_DONE and dice.random() < 0.5
            faults.refuse(dice.choice(METHODS), code, times=dice.choice((1, 2, 4)), done=done)
            await asyncio.sleep(dice.uniform(0.1, 1))
        case "disk":
            with _full(victim.pid):
                await asyncio.sleep(dice.uniform(0.1, 1.5))
        case _:
            raise ValueError(f"{name} is no fault")


async def _harm_database(name: str, victim: Victim, around: Around) -> None:
    dice, relays = around.dice, around.relays
    match name:
        case "lost-commit" if relays:
            relays[victim.number].lose_next_commit(times=dice.choice((1, 1, 2, 5)))
            await asyncio.sleep(dice.uniform(0.1, 0.6))
        case "lost-commit":
            victim.signal(signal.SIGUSR1)
            await asyncio.sleep(dice.uniform(0.1, 0.6))
        case "silent":
            # The network of one machine, or at times the server's own.
            for relay in relays if dice.random() < EVERYWHERE else [relays[victim.number]]:
                relay.fall_silent()
            await asyncio.sleep(ANSWER_WITHIN * dice.uniform(0.5, 1.5))
        case _:
            assert around.restart is not None
            await asyncio.to_thread(around.restart)
            # Otherwise nothing but starts would be under way when it comes again.
            await asyncio.sleep(dice.uniform(0.1, 1.5))


@contextlib.contextmanager
def _full(pid: int) -> Iterator[None]:
    """Refuse what a process writes to files beyond their first bytes, as a full disk does."""
    with contextlib.suppress(ProcessLookupError):
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        try:
            yield
        finally:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
