"""The audit trail at a terminal: verify, show, tail, export, and what keeps it in order."""

import argparse
import asyncio
import contextlib
import getpass
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime

from bot.audit import csv_rows as sheet
from bot.audit import signing_key as keys
from bot.audit.checkpoints import SignedCheckpoint, fingerprint, is_key
from bot.audit.hash_chain import Fact, Record
from bot.audit.verifier import ChainError
from bot.cli import serve as serving
from bot.cli.output import Progress, complain, one_line, say, table
from bot.cli.settings import Settings
from bot.errors import ConfigError, DirectoryError
from bot.model.actions import Json
from bot.storage.audit_log import AuditSnapshot
from bot.storage.store import Store
from bot.times import parse_duration
from handlers.slack.api_calls import CallError
from handlers.slack.checkpoint_reader import witnessed
from handlers.slack.transports import connect, web_client

DONE, FAILED = 0, 1


def run(settings: Settings, what: str, options: argparse.Namespace) -> int:
    """Run one command of `stopstream audit`; give its exit code.

    Raises:
        ConfigError: An option cannot be read, or a setting is missing.
        StoreError: The database does not answer.
    """
    return asyncio.run(_run(settings, what, options))


async def _run(settings: Settings, what: str, options: argparse.Namespace) -> int:
    if what == "verify":
        return await _verify(settings, options)
    store = serving.open_store(settings)
    try:
        match what:
            case "tail":
                return _tail(store, options)
            case "show":
                return _show(store, options)
            case "export":
                return await _export(store, options)
            case "checkpoint":
                return await _checkpoint(store)
            case _:
                return await _prune(store, settings, options)
    finally:
        await store.close()


# --- verify ----------------------------------------------------------------------------


async def _verify(settings: Settings, options: argparse.Namespace) -> int:
    trusted = _trusted(settings, options)
    seen = await _channel(settings) if options.against_channel else None
    # For reading alone: looking at a trail must not make a key for it.
    store = serving.open_store(settings, sealing=False)
    try:
        with store.audit_log.snapshot() as audited:
            found = _check(audited, trusted)
            if seen is not None:
                found = _hold(audited, seen) or found
            return FAILED if found else DONE
    finally:
        await store.close()


def _trusted(settings: Settings, options: argparse.Namespace) -> list[str]:
    wrong = [key for key in options.trust if not is_key(key)]
    if wrong:
        raise ConfigError([f'--trust: "{one_line(wrong[0])[:60]}" is no public key'])
    ours = keys.load_public_key(settings.audit_key, settings.key_file)
    return [key for key in (ours, *settings.audit_trust, *options.trust) if key]


def _check(audited: AuditSnapshot, trusted: Iterable[str]) -> ChainError | None:
    bar = Progress("verifying", audited.buried, audited.last)
    report = audited.verify(trusted, bar)
    bar.done()
    found = report.found
    if found is None:
        say(f"every record holds: {report.count} of {report.count}")
        if report.sealed:
            by = ", ".join(fingerprint(key) for key in report.keys)
            say(f"sealed up to record {report.sealed}, by {by}")
    else:
        say(
            f"broken at record {found.seq}: {found.what}: {found.why}; "
            f"the {report.count} before it hold"
        )
    say(*(f"note: {note}" for note in report.notes))
    return found


async def _channel(settings: Settings) -> list[SignedCheckpoint]:
    """Fetch what the audit channel has witnessed."""
    token = settings.slack_bot_token
    problems = [] if token else ["SLACK_BOT_TOKEN: is missing; --against-channel needs it"]
    if not settings.audit_channel:
        problems.append("STOPSTREAM_AUDIT_CHANNEL: is missing; --against-channel needs it")
    if token is None or problems:
        raise ConfigError(problems)
    async with web_client(token.get_secret_value(), settings.slack_api_url) as client:
        try:
            identity = await connect(client)
            return await witnessed(client, settings.audit_channel, identity.bot)
        except (DirectoryError, CallError) as error:
            raise ConfigError([f"the audit channel cannot be read: {error}"]) from None


def _hold(audited: AuditSnapshot, seen: Iterable[SignedCheckpoint]) -> ChainError | None:
    """Hold the store to its witness."""
    result = audited.compare(seen)
    if result.found is not None:
        found = result.found
        say(f"the channel says otherwise, at record {found.seq}: {found.what}: {found.why}")
        return found
    if not result.compared:
        say("note: the audit channel has no checkpoint to hold the records to")
        return None
    by = ", ".join(fingerprint(key) for key in sorted(result.keys))
    say(f"the audit channel agrees: {result.compared} checkpoints, by {by}")
    if result.older:
        say(f"note: {result.older} more are of records that were removed since")
    return None


# --- show, tail --------------------------------------------------------------------------

_SHOWN = ("api", "params", "code", "request_id", "took", "rule", "detail", "reason")
_OTHERS = ("owed", "channel", "permalink", "policy", "why", "upto", "key", "format", "records")


def _tail(store: Store, options: argparse.Namespace) -> int:
    with store.audit_log.records(since=_since(options.since), last=max(1, options.n)) as records:
        rows = [_row(record) for record in records]
    say(*table(("record", "time (UTC)", "kind", "operation", "who", "what"), rows))
    return DONE


def _row(record: Record) -> list[str]:
    facts = record.facts
    said = _said(facts, (*_SHOWN, *_OTHERS))
    at = _clock(record.at, "%Y-%m-%d %H:%M:%S")
    return [str(record.seq), at, record.kind, record.operation, _who(facts), said[:300]]


def _who(facts: Mapping[str, Json]) -> str:
    return str(facts.get("by") or facts.get("user") or facts.get("replica") or "")


def _said(facts: Mapping[str, Json], names: Iterable[str]) -> str:
    given = ((name, facts.get(name)) for name in names)
    return " ".join(f"{name}={_value(value)}" for name, value in given if value not in _NOTHING)


_NOTHING: tuple[Json, ...] = ("", None, [], {})


def _value(value: Json) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, str) and value.isascii() and not set(value) & set(' ="'):
        return value
    return json.dumps(value, ensure_ascii=False)


def _clock(at: float, form: str) -> str:
    return datetime.fromtimestamp(at, UTC).strftime(form)


def _show(store: Store, options: argparse.Namespace) -> int:
    """Tell the whole story of one operation on one screen."""
    with store.audit_log.records(operation=options.id) as records:
        story = list(records)
    if not story:
        complain(f"the trail has no operation {one_line(options.id)}")
        return FAILED
    known: dict[str, Json] = {}
    for record in story:
        if record.kind not in _ASIDE or "permalink" not in known:
            known |= {n: v for n, v in record.facts.items() if n in _HEAD and v not in _NOTHING}
    first, last = story[0].at, story[-1].at
    say(f"operation {options.id}", "")
    say(*(one_line(f"{name:<12} {_value(known[name])}") for name in _HEAD if name in known))
    say(f"{'asked':<12} {_clock(first, '%Y-%m-%d %H:%M:%S')} UTC, {last - first:.3f} s in all", "")
    rows, before = [], dict[str, Json]()
    for record in story:
        facts = record.facts
        # Of the operation itself only what has changed is said; all else belongs to this record.
        news = {n: v for n, v in facts.items() if n not in _LASTING or before.get(n) != v}
        before |= {n: v for n, v in facts.items() if record.kind not in _ASIDE}
        at = f"{_clock(record.at, '%H:%M:%S')}.{int(record.at * 1000) % 1000:03}"
        passed = f"+{record.at - first:.3f}"
        said = _said(news, sorted(news.keys() - _UNSAID, key=_rank))
        rows.append([str(record.seq), at, passed, record.kind, _who(facts), said])
    say(*table(("record", "time (UTC)", "s", "kind", "who", "what"), rows))
    return DONE


_HEAD = (
    "team",
    "user",
    "via",
    "channel",
    "thread_ts",
    "api",
    "params",
    "region",
    "account",
    "rule",
    "state",
    "request_id",
    "code",
    "permalink",
)
_LASTING = frozenset({*_HEAD, "attempts", "decided_by", "approved_by", "emergency", "joined"})
_UNSAID = frozenset(
    {"team", "user", "via", "api", "params", "region", "account", "by", "by_team", "press", "ts"}
)
_ASIDE = frozenset({"delivered", "refused", "undeliverable"})
"""Kinds whose facts are about a message or a press, not about the operation."""


def _rank(name: str) -> tuple[int, str]:
    order = ("decision", "state", "about", "rule", *_SHOWN, *_OTHERS)
    return (order.index(name) if name in order else len(order), name)


# --- export --------------------------------------------------------------------------------


async def _export(store: Store, options: argparse.Namespace) -> int:
    since, until = _since(options.since), _since(options.until)
    asked: dict[str, Json] = {
        "user": _login(),
        "via": "terminal",
        "format": options.format,
        "since": since,
        "until": until,
    }
    # First the record, then the records: nobody takes the trail away unseen.
    await store.audit_log.record(Fact("exported", "", {n: v for n, v in asked.items() if v}))
    write = _as_jsonl if options.format == "jsonl" else _as_csv
    with store.audit_log.snapshot() as audited:
        bar = Progress("exporting", audited.buried, audited.last)
    with store.audit_log.records(since=since, until=until) as records:
        write(_counted(records, bar), sys.stdout.write)
    bar.done()
    return DONE


def _counted(records: Iterable[Record], bar: Progress) -> Iterator[Record]:
    # Where the records themselves go to the terminal, they show how far it has come.
    show = not sys.stdout.isatty()
    for record in records:
        yield record
        if show:
            bar(record.seq)


def _as_jsonl(records: Iterable[Record], write: Callable[[str], object]) -> None:
    for record in records:
        # Spliced in, so that whoever takes `hash` out again has the very bytes that were hashed.
        write(f'{record.body[:-1]},"hash":"{record.hash}"}}\n')


def _as_csv(records: Iterable[Record], write: Callable[[str], object]) -> None:
    write(sheet.line(sheet.COLUMNS))
    for record in records:
        write(sheet.line(sheet.row(record)))


def _login() -> str:
    """Say who sits at this terminal, as the system knows them."""
    with contextlib.suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return "unknown"


def _since(text: str) -> float:
    """Read a duration or a date; 0 for everything.

    Raises:
        ConfigError: It is neither.
    """
    if not text:
        return 0.0
    try:
        return time.time() - parse_duration(text)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        wrong = one_line(text)[:60]
        raise ConfigError([f'"{wrong}" is neither like 24h nor like 2026-11-20']) from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


# --- keeping it ----------------------------------------------------------------------------


async def _checkpoint(store: Store) -> int:
    made = await store.audit_log.checkpoint()
    say("sealed; the bot posts it" if made else "there is nothing new since the last checkpoint")
    return DONE


async def _prune(store: Store, settings: Settings, options: argparse.Namespace) -> int:
    text = options.keep or settings.audit_keep
    try:
        keep = parse_duration(text)
    except ValueError as error:
        where = "--keep" if options.keep else "STOPSTREAM_AUDIT_KEEP"
        raise ConfigError([f"{where}: {error}"]) from None
    say(f"{await store.audit_log.prune(keep)} records removed, behind a tombstone")
    return DONE
