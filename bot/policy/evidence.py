"""Which evidence the policy wants before a command is sent, as a command of its own; pure."""

from collections.abc import Mapping

from bot.catalog.registry import by_api
from bot.model.actions import Action, Effect, Json
from bot.model.commands import Command
from bot.policy.matching import condition_holds, covers_account, covers_action
from bot.policy.schema import EvidenceSettings, Policy

LASTS = 60
"""Seconds after which a task of evidence ends."""

_APIS: Mapping[str, str] = {
    "snapshot": "CreateScreenshotTask",
    "recording": "CreateRecordTask",
}
_STREAM = ("StreamName", "DomainName", "AppName")


def evidence_of(policy: Policy, command: Command) -> EvidenceSettings | None:
    """Return what the policy wants to be taken before a command; None for nothing."""
    if not shows_stream(command.action):
        return None
    wanted = (
        one
        for one in policy.evidence
        if covers_action(one.actions, command)
        and covers_account(one.accounts, command.account)
        and all(condition_holds(command, name, p) for name, p in (one.where or {}).items())
    )
    return next(wanted, None)


def shows_stream(action: Action) -> bool:
    """Return whether there is a stream to show: the action stops one, and names it wholly."""
    named = {name for param in action.params for name in param.names}
    stops = action.effect is Effect.STOP or action.toggles == "off"
    return stops and named.issuperset(_STREAM)


def action_for(wanted: EvidenceSettings) -> Action:
    """Return the action that takes it."""
    return by_api(_APIS[wanted.take])


def task_for(wanted: EvidenceSettings, command: Command, region: str, now: float) -> Command | None:
    """Return the command that takes it; None where the stream is not named wholly.

    Args:
        region: Of the task.
        now: Epoch seconds.
    """
    known = {
        name: command.params.get(param.api)
        for param in command.action.params
        for name in param.names
    }
    params: dict[str, Json] = {name: known.get(name) for name in _STREAM}
    if not all(params.values()):
        return None
    params["EndTime"] = int(now) + LASTS
    if wanted.template is not None:
        params["TemplateId"] = wanted.template
    return Command(action_for(wanted), params, region, command.account)
