"""`stopstream run` and `stopstream decide`: operations from a terminal, for when Slack is down."""

import argparse
import json
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict

from bot.audit.hash_chain import Fact
from bot.catalog.error_codes import Explanation, explain
from bot.catalog.registry import by_api, command_of
from bot.cli.command_text import complain_of_no_action, complain_of_syntax, implied_verb
from bot.cli.errand import Errand
from bot.cli.output import DONE, FAILED, USAGE, complain, one_line, say
from bot.cli.pending import awaited
from bot.cli.settings import Settings
from bot.cli.store_place import is_chosen, place_of
from bot.cli.wiring import Parts, build, open_cloud, open_directory, open_policy, open_store
from bot.commands.formatting import format_command, quoted
from bot.errors import CommitUnknownError, NoTablesError, ParseError, StoreError
from bot.metrics import Metrics
from bot.model.actions import Approval, Json, Params
from bot.model.commands import Command, Invocation, Via
from bot.model.lifecycle import ENDINGS
from bot.model.operations import Choice, Decision, LiveBefore, Operation, State
from bot.model.people import Actor, Place
from bot.model.verdicts import RequestPreview, Verdict
from bot.operations.results import Accepted, DryRun, Invalid, NotRecorded, Reply
from bot.operations.service import Service
from bot.redact import redact
from bot.storage.store import Store
from bot.supervision import Supervisor
from bot.times import parse_duration

_SUCCESSFUL = frozenset({State.ACCEPTED, State.ALREADY})


async def run(settings: Settings, options: argparse.Namespace) -> int:
    """Run one command, wait for its ending and print it."""
    return await Errand(settings).carry_out(lambda errand: _run(errand, settings, options))


async def _run(errand: Errand, settings: Settings, options: argparse.Namespace) -> int:
    async with _replica(errand, settings, may_create=is_chosen(settings)) as parts:
        invocation = Invocation(
            key=_new_key(),
            actor=Actor(parts.team, options.actor),
            place=Place(options.channel),
            text=_with_reason(options),
            via=Via.TERMINAL,
            verb=implied_verb(options.text),
        )
        errand.begin()
        reply = await parts.operations.service.ask(invocation)
        if isinstance(reply, Accepted):
            errand.begin(reply.operation.id)
            errand.told = _report_run(await errand.ending(parts), options)
        else:
            errand.undo_begin()
            errand.told = await _answer(reply, parts.operations.service, invocation, options)
        return errand.told


async def _answer(
    reply: Reply, service: Service, invocation: Invocation, options: argparse.Namespace
) -> int:
    """Print the reply to what is no operation, and return the exit code."""
    match reply:
        case Invalid(error):
            return _report_syntax(error, as_json=options.json)
        case NotRecorded(sentence):
            complain(sentence)
            return FAILED
        case DryRun(command):
            return await _dry_run(service, invocation, command, as_json=options.json)
        case _:
            complain_of_no_action(reply)
            return USAGE


def _report_run(ended: Operation | None, options: argparse.Namespace) -> int:
    if ended is None:
        return FAILED
    code = _report(ended, as_json=options.json)
    nothing = ended.live_before is LiveBefore.NOT_LIVE and not options.allow_nothing_live
    return FAILED if nothing and ended.state is State.ACCEPTED else code


async def decide(settings: Settings, options: argparse.Namespace) -> int:
    """Decide on a waiting operation as its buttons would, and run it here once it is due."""
    return await Errand(settings).carry_out(lambda errand: _decide(errand, settings, options))


async def _decide(errand: Errand, settings: Settings, options: argparse.Namespace) -> int:
    async with _replica(errand, settings) as parts:
        waiting = await parts.store.operations.get(options.id)
        if waiting is None:
            # Nothing is recorded: it would look like the history of an operation.
            complain(f"there is no operation {one_line(options.id)}; stopstream pending lists them")
            return FAILED
        decision = Decision(
            key=_new_key(),
            operation=options.id,
            choice=_choice(waiting, options),
            actor=Actor(parts.team, options.actor),
            place=Place(""),
            reason=options.reason,
        )
        booked = await _booked(errand, parts.store, decision)
        settled = await parts.operations.approvals.settle(booked)
        if not settled.counts:
            complain(settled.words + _as_it_is(settled.operation))
            errand.told = FAILED
            return errand.told
        operation = await errand.ending(parts)
        if operation is None:
            return FAILED
        code = _report(operation, as_json=options.json)
        still_waiting = operation.state is State.WAITING
        errand.told = DONE if still_waiting or options.decision == "deny" else code
        return errand.told


def _as_it_is(operation: Operation | None) -> str:
    """Return what has become of an operation that nobody decides over any more, as a sentence."""
    if operation is None or operation.state is State.WAITING:
        return ""
    word = "It ended as" if operation.state in ENDINGS else "It is"
    return f" {word} {operation.state.value}: stopstream audit show {operation.id}"


async def _booked(errand: Errand, store: Store, decision: Decision) -> Decision:
    """Record a decision, from where on it may have its effect."""
    errand.begin(decision.operation)
    try:
        booked = await store.decisions.add(decision)
    except CommitUnknownError:
        raise
    except StoreError:
        errand.undo_begin()
        raise
    assert booked is not None  # noqa: S101 (its key is new)
    return booked


@asynccontextmanager
async def _replica(
    errand: Errand, settings: Settings, *, may_create: bool = False
) -> AsyncIterator[Parts]:
    """Yield a replica that runs its own operations and delivers nothing to Slack.

    Args:
        may_create: Make the tables of a database that has none.
    """
    policy = open_policy(settings)
    store = _open_store(settings, may_create=may_create)
    cloud = open_cloud(settings, lambda: policy.value)
    metrics = Metrics()
    try:
        async with open_directory(settings) as (team, directory):
            parts = build(
                store=store,
                cloud=cloud,
                directory=directory,
                notifier=None,
                policy=lambda: policy.value,
                team=team,
                metrics=metrics,
                supervisor=Supervisor(metrics),
                ask_expires=parse_duration(settings.ask_expires),
            )
            parts.operations.worker.keep_leases()
            facts: dict[str, Json] = {"policy": policy.digest, "replica": store.session.owner}
            await store.audit_log.record(Fact("policy loaded", "", facts))
            try:
                yield parts
            finally:
                await parts.operations.worker.stop(errand.grace)
    finally:
        await cloud.close()
        await store.close()


def _open_store(settings: Settings, *, may_create: bool) -> Store:
    """Open the database; say so where it is made for this, because no hold counts in a new one."""
    try:
        return open_store(settings)
    except NoTablesError:
        if not may_create:
            raise
    store = open_store(settings, may_create=True)
    complain(f"the database {place_of(settings)} is new: no hold and no earlier request counts")
    return store


def _with_reason(options: argparse.Namespace) -> str:
    """Return the command with the reason that was given apart from it."""
    text: str = options.text
    return f"{text} reason={quoted(options.reason)}" if options.reason else text


def _new_key() -> str:
    return f"terminal-{secrets.token_hex(12)}"


def _choice(operation: Operation, options: argparse.Namespace) -> Choice:
    """Return the button whose press the decision equals."""
    own = operation.actor.user == options.actor
    if options.decision == "deny":
        return Choice.CANCEL if own else Choice.DENY
    if options.emergency:
        return Choice.EMERGENCY
    confirm = operation.approval is Approval.CONFIRM
    return Choice.CONFIRM if confirm else Choice.APPROVE


async def _dry_run(
    service: Service, invocation: Invocation, command: Command, *, as_json: bool
) -> int:
    """Print what would happen, and return 0 if the policy would let it pass."""
    result = await service.dry_run(invocation, command)
    verdict, request = result.verdict, result.request
    allowed = isinstance(verdict, Verdict)
    why = verdict.rule if isinstance(verdict, Verdict) else verdict.reason
    approval = verdict.approval.value if isinstance(verdict, Verdict) else ""
    runbook = verdict.runbook if isinstance(verdict, Verdict) else ""
    if as_json:
        fields = {"dry_run": True, "allowed": allowed, "why": why, "approval": approval}
        fields |= {"live_now": [dict(key) for key in result.live_instead]}
        fields |= {"request": asdict(request) if request else None}
        say(json.dumps(fields, ensure_ascii=False))
    else:
        say(
            f"dry run: {command.action.api}: {'allowed by' if allowed else 'denied:'} {why}",
            *([f"approval: {approval}"] if approval else []),
            *_instead(command.target, result.live_instead),
            *([f"case: {result.case}"] if result.case else []),
            *([f"runbook: {runbook}"] if runbook else []),
            *_request_lines(request, hidden=result.hidden),
        )
    return DONE if allowed else FAILED


def _request_lines(request: RequestPreview | None, *, hidden: bool) -> list[str]:
    if request is None:
        return [] if hidden else ["nothing would leave: the bot keeps it itself"]
    headers = (f"{name}: {value}" for name, value in request.headers.items())
    return [f"{request.method} {request.url}", *headers, "", request.payload]


def _report_syntax(error: ParseError, *, as_json: bool) -> int:
    if as_json:
        say(json.dumps({"ending": "invalid", "detail": error.sentence}))
    complain_of_syntax(error)
    return USAGE


def _report(operation: Operation, *, as_json: bool) -> int:
    """Print the state of an operation, and return the exit code."""
    action = by_api(operation.api)
    meaning = explain(operation.code, action) if operation.code else None
    if as_json:
        say(json.dumps(_as_json(operation, meaning), ensure_ascii=False))
    else:
        say(" · ".join(one_line(part) for part in _as_text(operation, meaning)))
    return DONE if operation.state in _SUCCESSFUL else FAILED


def _as_json(operation: Operation, meaning: Explanation | None) -> dict[str, object]:
    return {
        "ending": operation.state.value,
        "id": operation.id,
        "action": operation.api,
        "command": _spelled(operation),
        "actor": operation.actor.user,
        "rule": operation.rule,
        "request_id": operation.request_id,
        "code": operation.code,
        "message": operation.error_message,
        "means": meaning.means if meaning else "",
        "next": meaning.next_step if meaning else "",
        "detail": operation.detail,
        "attempts": operation.attempts,
        "approval": operation.approval.value,
        "approvers": list(operation.approvals.roles),
        "expires_at": operation.expires_at,
        "decided_by": operation.decided_by,
        "reason": operation.reason,
        "reason_code": operation.origin.reason_code,
        "reason_text": operation.origin.reason_text,
        "account": operation.account,
        "case": operation.case,
        "runbook": operation.runbook,
        "duplicate_of": operation.duplicate_of,
        "live_before": operation.live_before.value if operation.live_before else "",
        "live_now": [dict(key) for key in operation.live_instead],
        "result": dict(operation.result),
    }


def _as_text(operation: Operation, meaning: Explanation | None) -> list[str]:
    parts = [f"{operation.state.value}: {_spelled(operation)}"]
    parts += _live_before(operation) or _live_instead(operation)
    parts += [f"{name}={value}" for name, value in operation.result.items()]
    if operation.code:
        parts.append(operation.code)
    if meaning and operation.state is not State.ALREADY:
        parts.append(f"{meaning.means} {meaning.next_step}")
    elif meaning:
        parts.append(meaning.means)
    parts += [operation.detail] if operation.detail else []
    parts += _same(operation)
    if operation.state is State.WAITING:
        parts.append(awaited(operation))
        parts.append(f"stopstream decide {operation.id} approve --actor U…")
    parts += [f"RequestId {operation.request_id}"] if operation.request_id else []
    parts.append(f"operation {operation.id}")
    return parts


def _same(operation: Operation) -> list[str]:
    """Name the operation that was asked for before this one, or went ahead in its place."""
    other = operation.duplicate_of
    if not other:
        return []
    if operation.superseded:
        return [f"operation {other} went ahead: stopstream audit show {other}"]
    return [f"operation {other} waits: stopstream decide {other} approve --actor U…"]


def _live_before(operation: Operation) -> list[str]:
    """Describe what a stop has met, unless it was live."""
    match operation.live_before:
        case LiveBefore.NOT_LIVE:
            names = [str(next(iter(key.values()), "")) for key in operation.live_now]
            live = [f"live now: {', '.join(names)}"] if names else []
            return [f"nothing was live as {redact(operation.target)}", *map(redact, live)]
        case LiveBefore.UNREADABLE:
            return ["whether it was live before could not be checked"]
        case _:
            return []


def _live_instead(operation: Operation) -> list[str]:
    """Describe what is live where a waiting operation names what is not."""
    if operation.state is not State.WAITING or not operation.live_instead:
        return []
    return _instead(operation.target, operation.live_instead)


def _instead(target: str, live: Sequence[Params]) -> list[str]:
    names = [str(next(iter(key.values()), "")) for key in live]
    found = [f"nothing is live as {target}", f"live now: {', '.join(names)}"] if names else []
    return [one_line(redact(line)) for line in found]


def _spelled(operation: Operation) -> str:
    command = command_of(operation)
    return format_command(command) if command else operation.api
