"""`stopstream pending` and `stopstream off`: what is in progress, off air or held."""

import argparse
import json

from bot.catalog import readings
from bot.catalog.registry import action_of
from bot.cli.output import DONE, one_line, say
from bot.cli.settings import Settings
from bot.cli.wiring import open_store
from bot.model.actions import DEFAULT, Approval
from bot.model.off_air import OffAirEntry
from bot.model.operations import Operation, State
from bot.operations.audit_facts import visible_params
from bot.times import TO_SECOND, format_utc

_MOST = 1000
"""Off-air entries that are listed."""


async def pending(settings: Settings, _options: argparse.Namespace) -> int:
    """Print a line for each operation that has no ending yet."""
    store = open_store(settings)
    try:
        for operation in await store.operations.unfinished():
            line = _line(operation, f"{operation.state.value:<8}", operation.asked_at)
            if operation.state is State.WAITING:
                line += f" · {awaited(operation)}"
                line += "".join(f" · {readings.to_text(one)}" for one in operation.preview.readings)
            say(one_line(line + _belongs_to(operation)))
    finally:
        await store.close()
    return DONE


async def off(settings: Settings, _options: argparse.Namespace) -> int:
    """Print a line for each resource that is off and not yet on again, and for each hold."""
    store = open_store(settings)
    try:
        for word, entry in [
            *(("off", off) for off in await store.off_air.list(_MOST)),
            *(
                ("held", OffAirEntry(operation, None))
                for operation in await store.off_air.list_holds()
            ),
        ]:
            operation = entry.operation
            line = _line(operation, f"{word:<4}", operation.ended_at or operation.asked_at)
            if entry.until is not None:
                line += f" · until {format_utc(entry.until, TO_SECOND)} UTC"
            say(one_line(line + _belongs_to(operation)))
    finally:
        await store.close()
    return DONE


def _line(operation: Operation, word: str, time: float) -> str:
    at = format_utc(time, TO_SECOND)
    params = json.dumps(visible_params(operation, action_of(operation)))
    line = f"{operation.id} {word} {at} {operation.actor.user} "
    return line + f"{operation.api} {params}"


def _belongs_to(operation: Operation) -> str:
    account = f" · account {operation.account}" if operation.account != DEFAULT else ""
    reason = operation.origin.reason_code
    case = f" · case {operation.case}" if operation.case else ""
    return account + (f" · reason {reason}" if reason else "") + case


def awaited(operation: Operation) -> str:
    """Return whose decision a waiting operation needs, and until when."""
    approvals, asker = operation.approvals, operation.actor.user
    if operation.approval is Approval.CONFIRM:
        who = f"for {asker} to confirm"
    else:
        left = approvals.needed - len(approvals.given)
        who = f"for {left} of {', '.join(approvals.roles) or 'nobody'}"
    until = format_utc(operation.expires_at or 0.0, "%H:%M:%S UTC")
    return f"waits {who} until {until}"
