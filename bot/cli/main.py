"""What can be done from a terminal: check, run, policy, audit. The same rules, the same trail."""

import argparse
import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from bot import telemetry
from bot.audit import signing_key as keys
from bot.audit.checkpoints import fingerprint
from bot.audit.hash_chain import Fact
from bot.catalog import readings as sights
from bot.catalog.error_codes import Sort, explain
from bot.catalog.registry import action_of, by_api, command_of
from bot.cli import audit as auditing
from bot.cli import serve as serving
from bot.cli.output import complain, one_line, say
from bot.cli.settings import Settings, read_settings
from bot.commands.diagnostics import caret
from bot.commands.formatting import format_command
from bot.commands.parser import parse
from bot.errors import (
    ApiError,
    CloudError,
    ConfigError,
    DirectoryError,
    ParseError,
    StopstreamError,
)
from bot.model.actions import DEFAULT, Approval, Effect, Json
from bot.model.commands import Command, Invocation, Via
from bot.model.off_air import OffAirEntry
from bot.model.operations import Choice, Decision, Operation, State
from bot.model.people import Actor, Person, Place, Presence
from bot.model.ports import Cloud, Directory
from bot.model.verdicts import Denied, RequestPreview, Verdict
from bot.operations.approvals import ApprovalService
from bot.operations.authorizer import Authorizer
from bot.operations.service import Accepted, DryRun, Invalid, NotRecorded, Service
from bot.operations.worker import Worker, shown
from bot.policy import explanation
from bot.policy.matching import Context
from bot.policy.schema import json_schema
from bot.storage.store import Store
from bot.supervision import Supervisor
from bot.telemetry import Metrics
from handlers import manifest
from handlers.slack.directory import Directory as SlackDirectory
from handlers.slack.transports import connect, web_client

DONE, FAILED, USAGE = 0, 1, 2

_ENDED_WELL = frozenset({State.ACCEPTED, State.ALREADY})


def run(options: argparse.Namespace) -> int:
    """Run one command of the terminal; give its exit code."""
    settings = read_settings()
    telemetry.configure(settings.log_format, level="ERROR")
    match options.command, getattr(options, "what", ""):
        case "policy", "schema":
            say(json.dumps(json_schema(), indent=2))
            return DONE
        case "policy", "check":
            rules = serving.policy_file(settings, keys=False).value
            roles = len(rules.policy.roles)
            say(f"{settings.policy}: holds: {roles} roles, {len(rules.policy.limits)} limits")
            return DONE
        case "audit", what:
            return auditing.run(settings, what, options)
        case command, _:
            return asyncio.run(_COMMANDS[command](settings, options))


# --- run ---------------------------------------------------------------------------


class Vouched:
    """A directory for the hour when Slack is down: whoever the policy lists by id is who they say.

    Nobody is in a user group, because nobody can be asked.
    """

    def __init__(self, team: str) -> None:
        self._team = team

    async def person(self, actor: Actor) -> Person:
        """Take the terminal's word."""
        return Person(actor.user, self._team)

    async def groups(self, user: str, among: frozenset[str]) -> frozenset[str]:  # noqa: ARG002
        """Give none."""
        return frozenset()

    async def presence(self, channel: str) -> Presence:  # noqa: ARG002
        """Not asked: what is run here is seen when Slack is back."""
        return Presence.UNKNOWN


_TERMINAL_TEAM = "terminal"


@asynccontextmanager
async def _directory(settings: Settings) -> AsyncIterator[tuple[str, Directory]]:
    """Ask Slack who people are; while it cannot be reached, take the terminal's word."""
    token = settings.slack_bot_token
    if token is None:
        yield _TERMINAL_TEAM, Vouched(_TERMINAL_TEAM)
        return
    async with web_client(token.get_secret_value(), settings.slack_api_url) as client:
        try:
            async with asyncio.timeout(5.0):
                identity = await connect(client)
        except (DirectoryError, TimeoutError):
            complain("Slack is not reached: only users whom the policy lists by id count now")
            yield _TERMINAL_TEAM, Vouched(_TERMINAL_TEAM)
        else:
            yield identity.team, SlackDirectory(client, team=identity.team)


@dataclass(frozen=True, slots=True)
class _House:
    """What runs and decides operations, without Slack."""

    team: str
    store: Store
    engine: Worker
    approvals: ApprovalService
    service: Service


@asynccontextmanager
async def _house(settings: Settings) -> AsyncIterator[_House]:
    rules = serving.policy_file(settings)
    store = serving.open_store(settings)
    cloud = serving.open_cloud(settings, lambda: rules.value)
    try:
        async with _directory(settings) as (team, directory):
            metrics = Metrics()
            rights = Authorizer(
                store=store, directory=directory, rules=lambda: rules.value, team=team
            )
            supervisor = Supervisor(metrics)
            engine = Worker(
                store=store, cloud=cloud, rights=rights, metrics=metrics, supervisor=supervisor
            )
            approvals = ApprovalService(
                store=store, engine=engine, rights=rights, supervisor=supervisor
            )
            service = Service(
                store=store,
                engine=engine,
                approvals=approvals,
                directory=directory,
                rules=lambda: rules.value,
                team=team,
                metrics=metrics,
            )
            engine.keep_leases()
            facts: dict[str, Json] = {"policy": rules.digest, "replica": store.session.owner}
            await store.audit_log.record(Fact("policy loaded", "", facts))
            try:
                yield _House(team, store, engine, approvals, service)
            finally:
                await engine.stop()
    finally:
        await cloud.close()
        await store.close()


async def _run(settings: Settings, options: argparse.Namespace) -> int:
    async with _house(settings) as house:
        return await _ask(house.service, house.engine, house.team, options)


async def _ask(service: Service, engine: Worker, team: str, options: argparse.Namespace) -> int:
    asked = Invocation(
        key=f"terminal-{secrets.token_hex(12)}",
        actor=Actor(team, options.actor),
        place=Place(options.channel),
        text=options.text,
        via=Via.TERMINAL,
        verb=_verb(options.text),
    )
    match await service.ask(asked):
        case Accepted(operation):
            return _report(await engine.ending(operation.id), as_json=options.json)
        case Invalid(error):
            return _mistake(error, as_json=options.json)
        case NotRecorded(sentence):
            complain(sentence)
            return FAILED
        case DryRun(command):
            return await _rehearse(service, asked, command, as_json=options.json)
        case _:
            complain("that is not an action; write for example: live stream1")
            return USAGE


async def _rehearse(service: Service, asked: Invocation, command: Command, *, as_json: bool) -> int:
    """Say what would be sent; exit code 0 if the policy would let it pass."""
    found = await service.dry_run(asked, command)
    verdict, draft = found.verdict, found.request
    allowed = isinstance(verdict, Verdict)
    why = verdict.rule if isinstance(verdict, Verdict) else verdict.reason
    approval = verdict.approval.value if isinstance(verdict, Verdict) else ""
    runbook = verdict.runbook if isinstance(verdict, Verdict) else ""
    if as_json:
        told = {"dry_run": True, "allowed": allowed, "why": why, "approval": approval}
        request = asdict(draft) if draft else None
        say(json.dumps(told | {"request": request}, ensure_ascii=False))
    else:
        say(
            f"dry run: {command.action.api}: {'allowed by' if allowed else 'denied:'} {why}",
            *([f"approval: {approval}"] if approval else []),
            *([f"case: {found.case}"] if found.case else []),
            *([f"runbook: {runbook}"] if runbook else []),
            *_leaving(draft, hidden=found.hidden),
        )
    return DONE if allowed else FAILED


def _leaving(draft: RequestPreview | None, *, hidden: bool) -> list[str]:
    if draft is not None:
        return _request(draft)
    return [] if hidden else ["nothing would leave: the bot keeps it itself"]


def _request(draft: RequestPreview) -> list[str]:
    headers = (f"{name}: {value}" for name, value in draft.headers.items())
    return [f"{draft.method} {draft.url}", *headers, "", draft.payload]


def _verb(text: str) -> Effect | None:
    """Take a text that does not say its verb for a stop."""
    first = text.split(maxsplit=1)[:1]
    says = first and first[0].casefold() in (
        "start",
        "/startstream",
        "stop",
        "/stopstream",
        "status",
    )
    return None if says else Effect.STOP


def _mistake(error: ParseError, *, as_json: bool) -> int:
    if as_json:
        say(json.dumps({"ending": "invalid", "detail": error.sentence}))
    complain(f"{error.sentence}\n{caret(error)}")
    return USAGE


def _report(operation: Operation, *, as_json: bool) -> int:
    action = by_api(operation.api)
    words = explain(operation.code, action) if operation.code else None
    if as_json:
        found = {
            "ending": operation.state.value,
            "id": operation.id,
            "action": operation.api,
            "command": _spelled(operation),
            "actor": operation.actor.user,
            "rule": operation.rule,
            "request_id": operation.request_id,
            "code": operation.code,
            "message": operation.error_message,
            "means": words.means if words else "",
            "next": words.next_step if words else "",
            "detail": operation.detail,
            "attempts": operation.attempts,
            "approval": operation.approval.value,
            "approvers": list(operation.approvals.roles),
            "expires_at": operation.expires_at,
            "decided_by": operation.decided_by,
            "reason": operation.reason,
            "account": operation.account,
            "case": operation.case,
            "runbook": operation.runbook,
            "result": dict(operation.result),
        }
        say(json.dumps(found, ensure_ascii=False))
    else:
        parts = [f"{operation.state.value}: {_spelled(operation)}"]
        parts += [f"{name}={value}" for name, value in operation.result.items()]
        if operation.code:
            parts.append(operation.code)
        if words and operation.state is not State.ALREADY:
            parts.append(f"{words.means} {words.next_step}")
        elif words:
            parts.append(words.means)
        parts += [operation.detail] if operation.detail else []
        if operation.state is State.WAITING:
            parts.append(_waits_for(operation))
            parts.append(f"stopstream decide {operation.id} approve --actor U…")
        parts += [f"RequestId {operation.request_id}"] if operation.request_id else []
        parts.append(f"operation {operation.id}")
        say(" · ".join(one_line(part) for part in parts))
    return DONE if operation.state in _ENDED_WELL else FAILED


def _spelled(operation: Operation) -> str:
    command = command_of(operation)
    return format_command(command) if command else operation.api


async def _pending(settings: Settings, _options: argparse.Namespace) -> int:
    store = serving.open_store(settings)
    try:
        for operation in await store.operations.unfinished():
            at = datetime.fromtimestamp(operation.asked_at, UTC).strftime("%Y-%m-%d %H:%M:%S")
            line = f"{operation.id} {operation.state.value:<8} {at} {operation.actor.user} "
            line += f"{operation.api} {json.dumps(_shown(operation))}"
            if operation.state is State.WAITING:
                line += f" · {_waits_for(operation)}"
                line += "".join(f" · {sights.to_text(one)}" for one in operation.preview.readings)
            say(one_line(line + _beside(operation)))
    finally:
        await store.close()
    return DONE


async def _off(settings: Settings, _options: argparse.Namespace) -> int:
    store = serving.open_store(settings)
    try:
        for word, one in [
            *(("off", off) for off in await store.off_air.list(_LISTED)),
            *(
                ("held", OffAirEntry(operation, None))
                for operation in await store.off_air.list_holds()
            ),
        ]:
            operation = one.operation
            at = datetime.fromtimestamp(operation.ended_at or operation.asked_at, UTC)
            line = f"{operation.id} {word:<4} {at:%Y-%m-%d %H:%M:%S} {operation.actor.user} "
            line += f"{operation.api} {json.dumps(_shown(operation))}"
            if one.until is not None:
                line += f" · until {datetime.fromtimestamp(one.until, UTC):%Y-%m-%d %H:%M:%S UTC}"
            say(one_line(line + _beside(operation)))
    finally:
        await store.close()
    return DONE


_LISTED = 1000


def _beside(operation: Operation) -> str:
    account = f" · account {operation.account}" if operation.account != DEFAULT else ""
    return account + (f" · case {operation.case}" if operation.case else "")


def _waits_for(operation: Operation) -> str:
    """Say who can decide, and until when."""
    approvals, asker = operation.approvals, operation.actor.user
    if operation.approval is Approval.CONFIRM:
        who = f"for {asker} to confirm"
    else:
        left = approvals.needed - len(approvals.given)
        who = f"for {left} of {', '.join(approvals.roles) or 'nobody'}"
    until = datetime.fromtimestamp(operation.expires_at or 0.0, UTC).strftime("%H:%M:%S UTC")
    return f"waits {who} until {until}"


async def _decide(settings: Settings, options: argparse.Namespace) -> int:
    """Decide over a waiting operation as its buttons would, and run it here once it is due."""
    async with _house(settings) as house:
        found = await house.store.operations.get(options.id)
        own = found is not None and found.actor.user == options.actor
        confirm = found is not None and found.approval is Approval.CONFIRM
        if options.decision == "approve":
            choice = Choice.CONFIRM if confirm else Choice.APPROVE
            choice = Choice.EMERGENCY if options.emergency else choice
        else:
            choice = Choice.CANCEL if own else Choice.DENY
        booked = await house.store.decisions.add(
            Decision(
                key=f"terminal-{secrets.token_hex(12)}",
                operation=options.id,
                choice=choice,
                actor=Actor(house.team, options.actor),
                place=Place(""),
                reason=options.reason,
            )
        )
        assert booked is not None  # noqa: S101 (its key is new)
        settled = await house.approvals.settle(booked)
        if not settled.counts:
            complain(settled.words)
            return FAILED
        operation = await house.engine.ending(options.id)
        code = _report(operation, as_json=options.json)
        waits_on = operation.state is State.WAITING
        return DONE if waits_on or options.decision == "deny" else code


def _shown(operation: Operation) -> dict[str, Json]:
    return shown(operation, action_of(operation))


# --- policy explain --------------------------------------------------------------------


async def _explain(settings: Settings, options: argparse.Namespace) -> int:
    rules = serving.policy_file(settings, keys=False).value
    vocabulary = rules.vocabulary.at(options.channel)
    try:
        wanted = parse(
            options.text, verb=_verb(options.text), vocabulary=vocabulary, now=time.time()
        )
    except ParseError as error:
        complain(f"{error.sentence}\n{caret(error)}")
        return USAGE
    if not isinstance(wanted, Command):
        complain("that is not an action; write for example: live stream1")
        return USAGE
    try:
        facts = await _facts(settings, options, rules.policy.usergroups)
    except DirectoryError as error:
        complain(str(error))
        return FAILED
    found = explanation.explain(rules.policy, wanted, facts)
    say(f"command: {one_line(format_command(wanted))}", *found.lines)
    groups = sorted(rules.policy.usergroups - facts.groups)
    if groups:
        say(f"(as someone who is not in {', '.join(groups)}; --group says otherwise)")
    if isinstance(found.verdict, Denied):
        say(f"denied: {found.verdict.reason}")
        if found.verdict.request_from:
            say(f"may ask someone in {', '.join(found.verdict.request_from)} to let it through")
        return FAILED
    say(f"allowed by {found.verdict.rule}, approval: {found.verdict.approval.value}")
    if found.verdict.runbook:
        say(f"runbook: {found.verdict.runbook}")
    return DONE


async def _facts(
    settings: Settings, options: argparse.Namespace, groups: frozenset[str]
) -> Context:
    """Ask Slack who the user is, if there is a token; the bot is taken to be in the channel."""
    async with _directory(settings) as (team, directory):
        actor = Actor(team, options.user)
        return Context(
            person=await directory.person(actor),
            home_team=team,
            groups=frozenset(options.group) | await directory.groups(actor.user, groups),
            channel=options.channel,
            in_channel=True,
        )


# --- check -----------------------------------------------------------------------------


async def _check(settings: Settings, _options: argparse.Namespace) -> int:
    """Look at everything that can be wrong, and print one line for each finding."""
    problems = 0
    known: list[str] = []
    checks: tuple[Callable[[Settings], AsyncIterator[tuple[bool, str]]], ...] = (
        _check_policy,
        _check_store,
        _check_slack,
        _check_cloud,
    )
    for check in checks:
        try:
            async for fine, line in check(settings):
                problems += not fine
                say(f"{'ok  ' if fine else 'MEND'} {line}")
        except ConfigError as error:
            # More than one check reads the policy file.
            new = [problem for problem in error.problems if problem not in known]
            known += new
            problems += len(new)
            say(*(f"MEND {problem}" for problem in new))
        except StopstreamError as error:
            problems += 1
            say(f"MEND {one_line(str(error))}")
    return FAILED if problems else DONE


async def _check_policy(settings: Settings) -> AsyncIterator[tuple[bool, str]]:
    rules = serving.policy_file(settings).value
    yield True, f"policy: {settings.policy} holds, {len(rules.policy.roles)} roles"
    if not rules.policy.roles:
        yield False, "policy: it has no roles, so nobody may do anything"


async def _check_store(settings: Settings) -> AsyncIterator[tuple[bool, str]]:
    store = serving.open_store(settings)
    try:
        await store.ready()
    finally:
        await store.close()
    yield True, "database: it can be written"
    key = keys.load_signer(settings.audit_key, settings.key_file).public
    where = "the environment" if settings.audit_key else str(settings.key_file)
    yield True, f"trail: sealed with the key {fingerprint(key)} from {where}; public key {key}"


async def _check_slack(settings: Settings) -> AsyncIterator[tuple[bool, str]]:
    serving.check_slack(settings)
    token = settings.slack_bot_token
    async with web_client(token.get_secret_value() if token else "", settings.slack_api_url) as c:
        identity = await connect(c)
    yield True, f"slack: auth.test says {identity.user} of {identity.team} ({identity.url})"
    wanted = manifest.bot_scopes()
    if not identity.scopes:
        yield True, "slack: it does not tell the granted scopes, so they are not compared"
        wanted = frozenset()
    for scope in sorted(wanted - identity.scopes):
        yield False, f"slack: the scope {scope} is not granted; install the app anew"
    for scope in sorted(identity.scopes - wanted):
        yield True, f"slack: the scope {scope} is granted and not needed"
    if settings.audit_channel:
        yield True, f"slack: audit lines go to {settings.audit_channel}; invite the bot there"
    else:
        yield True, "slack: no STOPSTREAM_AUDIT_CHANNEL, so the trail is in the database alone"


_OURS_TO_MEND = frozenset({Sort.KEY, Sort.CLOCK, Sort.PERMISSION, Sort.ACCOUNT, Sort.OURS})


async def _check_cloud(settings: Settings) -> AsyncIterator[tuple[bool, str]]:
    """Read the state of a stream that need not exist: harmless, and it shows that a key works."""
    rules = serving.policy_file(settings).value
    cloud = serving.open_cloud(settings, lambda: rules)
    try:
        for account in rules.policy.account_names:
            fine, line = await _check_account(cloud, account)
            named = f" ({account})" if rules.policy.accounts else ""
            yield fine, f"tencent cloud{named}: {line}"
    finally:
        await cloud.close()


async def _check_account(cloud: Cloud, account: str) -> tuple[bool, str]:
    action = by_api("DescribeLiveStreamState")
    values = {"AppName": "live", "DomainName": "check.example.com", "StreamName": "stopstream"}
    try:
        answer = await cloud.call(Command(action, dict(values), account=account))
    except ApiError as error:
        words = explain(error.code, action)
        if words.sort in _OURS_TO_MEND:
            skew = f" The clocks differ by {error.skew:.0f} s." if error.skew else ""
            return False, f"{error.code}: {words.means}{skew} {words.next_step}"
        return True, f"the key is taken ({error.code} for a made-up stream)"
    except CloudError as error:
        return False, one_line(str(error))
    return True, f"{action.api} was answered, RequestId {answer.request_id}"


_COMMANDS: Mapping[str, Callable[[Settings, argparse.Namespace], Coroutine[Any, Any, int]]] = {
    "check": _check,
    "decide": _decide,
    "off": _off,
    "pending": _pending,
    "policy": _explain,
    "run": _run,
}
