"""`stopstream audit statement`: the DSA statement of reasons for a ban, as JSON."""

import argparse
import json
from collections.abc import Sequence
from datetime import date
from itertools import groupby

from bot.audit.hash_chain import Record
from bot.cli.audit_case import records_of
from bot.cli.audit_export import record_export
from bot.cli.output import DONE, FAILED, complain, one_line, say
from bot.cli.settings import Settings
from bot.cli.wiring import open_policy
from bot.errors import ConfigError
from bot.operations.dsa_statement import FROM_POLICY, Ban, Statement, ban_of, statement_of
from bot.policy.schema import Policy
from bot.storage.store import Store


async def write_statement(store: Store, settings: Settings, options: argparse.Namespace) -> int:
    """Print the statement of reasons for the ban of a case, or name what is missing.

    Raises:
        ConfigError: The policy cannot be read, or the date is none.
    """
    policy = open_policy(settings, with_keys=False).value.policy
    day = _day(options.content_date)
    found = _bans(await records_of(store, options.case))
    if len(found) != 1:
        which = f"; name one of {', '.join(one.operation for one in found)}" if found else ""
        case = one_line(options.case)
        complain(f"{case} has {len(found) or 'no'} ban{'s' * bool(found)} that went through{which}")
        return FAILED
    (ban,) = found
    reason = policy.reasons.get(ban.reason_code)
    made = statement_of(ban, reason.dsa if reason else None, day)
    if made.missing:
        complain(_missing(ban, made, policy))
        return FAILED
    await record_export(store, "statement", {"of": [ban.operation]})
    say(json.dumps(made.fields, indent=2, ensure_ascii=False))
    return DONE


def _bans(found: Sequence[Record]) -> list[Ban]:
    records = sorted(found, key=lambda one: (one.operation, one.seq))
    each = groupby(records, key=lambda one: one.operation)
    return [ban for _, some in each if (ban := ban_of(list(some))) is not None]


def _missing(ban: Ban, made: Statement, policy: Policy) -> str:
    """Return one sentence that names what is missing and where to say it."""
    of_policy = [name for name in made.missing if name in FROM_POLICY]
    parts: list[str] = []
    if of_policy and ban.reason_code in policy.reasons:
        parts.append(f"add {', '.join(of_policy)} to reasons.{ban.reason_code}.dsa in the policy")
    elif of_policy:
        known = f"reason {ban.reason_code}, which the policy lacks" if ban.reason_code else "none"
        parts.append(f"{', '.join(of_policy)} come from the reason that was given: {known}")
    if "content_date" in made.missing:
        parts.append("give the content's day with --content-date: nothing shows that it was live")
    return f"the statement would be incomplete: {'; '.join(parts)}"


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError:
        wrong = one_line(text)[:60]
        raise ConfigError([f'--content-date: "{wrong}" is no day like 2026-11-27']) from None
