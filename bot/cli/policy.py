"""`stopstream policy`: write a first file, validate it, explain a decision, print its schema."""

import argparse
import json
import time

from bot.cli.command_text import complain_of_no_action, complain_of_syntax, implied_verb
from bot.cli.output import DONE, FAILED, USAGE, complain, one_line, say
from bot.cli.settings import Settings
from bot.cli.wiring import open_directory, open_policy
from bot.commands.formatting import format_command
from bot.commands.parser import parse
from bot.errors import DirectoryError, ParseError
from bot.model.commands import Command
from bot.model.people import Actor
from bot.model.verdicts import Denied, Verdict
from bot.operations.near_targets import asks_before
from bot.policy import example
from bot.policy.domains import domain_param
from bot.policy.explanation import explain
from bot.policy.lockout import allows_nothing
from bot.policy.matching import Context
from bot.policy.schema import Policy, json_schema


async def run(settings: Settings, options: argparse.Namespace) -> int:
    """Run one command of `stopstream policy`."""
    match options.what:
        case "schema":
            say(json.dumps(json_schema(), indent=2))
            return DONE
        case "check":
            return _check(settings)
        case "init":
            return _init(settings)
        case _:
            return await _explain(settings, options)


def _check(settings: Settings) -> int:
    policy = open_policy(settings, with_keys=False).value.policy
    if why := allows_nothing(policy):
        complain(f"{settings.policy}: {why}")
        return FAILED
    say(f"{settings.policy} is valid: {summary(policy)}")
    return DONE


def summary(policy: Policy) -> str:
    """Return how much a policy holds, in words."""
    return f"{_counted(len(policy.roles), 'role')}, {_counted(len(policy.limits), 'limit')}"


def _counted(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'s' if number != 1 else ''}"


def _init(settings: Settings) -> int:
    """Write the example policy, never over a file that is there."""
    text = example.read()
    try:
        with settings.policy.open("x") as file:
            file.write(text)
    except FileExistsError:
        complain(f"{settings.policy} exists and was not changed; remove it to begin again")
        return FAILED
    except OSError as error:
        complain(f"{settings.policy} can't be written: {error.strerror}")
        return FAILED
    say(
        f"{settings.policy} is written. Put your own ids and domain into it, then run:",
        "  stopstream policy check",
    )
    return DONE


async def _explain(settings: Settings, options: argparse.Namespace) -> int:
    loaded = open_policy(settings, with_keys=False).value
    vocabulary = loaded.vocabulary.at(options.channel)
    verb = implied_verb(options.text)
    try:
        command = parse(options.text, verb=verb, vocabulary=vocabulary, now=time.time())
    except ParseError as error:
        complain_of_syntax(error)
        return USAGE
    if not isinstance(command, Command):
        complain_of_no_action(command)
        return USAGE
    try:
        context = await _context(settings, options, loaded.policy.usergroups)
    except DirectoryError as error:
        complain(str(error))
        return FAILED
    explanation = explain(loaded.policy, command, context)
    say(f"command: {one_line(format_command(command))}", *explanation.lines)
    groups = sorted(loaded.policy.usergroups - context.groups)
    if groups:
        say(f"(as someone who is not in {', '.join(groups)}; --group says otherwise)")
    if isinstance(explanation.verdict, Verdict) and (unasked := _unasked(command)):
        say(f"(not asked here, but before it is sent: {' and '.join(unasked)})")
    return _report(explanation.verdict, command)


def _unasked(command: Command) -> list[str]:
    """Return what Tencent Cloud is asked before a command is sent, which this cannot tell."""
    domain = ["whether the domain is one of the account's"] if domain_param(command.action) else []
    live = ["whether another name is live"] if asks_before(command.action) else []
    return domain + live


def _report(verdict: Verdict | Denied, command: Command) -> int:
    if isinstance(verdict, Denied):
        say(f"denied: {verdict.reason}")
        if verdict.request_from:
            say(f"may ask for approval: someone in {' or '.join(verdict.request_from)}")
        return FAILED
    reason = f", reason: {command.reason}" if command.reason else ""
    say(f"allowed by {verdict.rule}, approval: {verdict.approval.value}{reason}")
    if verdict.runbook:
        say(f"runbook: {verdict.runbook}")
    return DONE


async def _context(
    settings: Settings, options: argparse.Namespace, groups: frozenset[str]
) -> Context:
    """Return who the user is, as Slack says if there is a token; the channel is taken as joined."""
    async with open_directory(settings) as (team, directory):
        actor = Actor(team, options.user)
        return Context(
            person=await directory.person(actor),
            home_team=team,
            groups=frozenset(options.group) | await directory.groups(actor.user, groups),
            channel=options.channel,
            in_channel=True,
        )
