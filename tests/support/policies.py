"""Policies, and the commands and people that tests decide on."""

from typing import Any

from bot.catalog.registry import ACTIONS, by_api
from bot.model.actions import Json
from bot.model.commands import Command
from bot.model.people import Person
from bot.model.verdicts import Denied, Verdict
from bot.policy import reader
from bot.policy.evaluation import decide
from bot.policy.matching import Context
from bot.policy.schema import Policy

TEAM = "T0HOME"
EXAMPLE = """
defaults:
  live: {DomainName: 5000.livepush.myqcloud.com, AppName: live}
  ingest: {SdkAppId: 1400000000, Region: ap-singapore}
targets:
  main-stage: live stream1 domain=5000.livepush.myqcloud.com
limits:
  - {actions: [ForbidLiveStream], approval: second-person}
  - {actions: ["Start*"], where: {UserId: "vip-*"}, deny: true}
roles:
  oncall:
    members: {users: [U0ALICE], usergroups: [S0ONCALL]}
    allow:
      - actions: [DropLiveStream, ResumeLiveStream, "Describe*"]
        channels: [C0INC]
        where: {StreamName: "prod-*"}
        approval: none
      - actions: ["*"]
        approval: second-person
        approvers: [leads]
        expires: 15m
  leads:
    members: {users: [U0BOB]}
    allow: [{actions: ["*"], approval: confirm}]
"""


def load(text: str) -> Policy:
    return reader.load(text, actions=ACTIONS)


def facts(user: str = "U0ALICE", channel: str = "C0INC", **given: Any) -> Context:
    in_channel = given.pop("in_channel", True)
    groups = frozenset(given.pop("groups", ()))
    home = given.pop("home_team", TEAM)
    person = Person(user, given.pop("team", TEAM), **given)
    return Context(person, home, groups, channel, in_channel)


def drop(stream: str = "prod-1") -> Command:
    values: dict[str, Json] = {
        "StreamName": stream,
        "DomainName": "a.example.com",
        "AppName": "live",
    }
    return Command(by_api("DropLiveStream"), values)


def start(user: str) -> Command:
    return Command(by_api("StartPublishStream"), {"UserId": user})


def verdict(command: Command, who: Context, text: str = EXAMPLE) -> Verdict:
    found = decide(load(text), command, who)
    assert isinstance(found, Verdict), found
    return found


def denied(command: Command, who: Context, text: str = EXAMPLE) -> Denied:
    found = decide(load(text), command, who)
    assert isinstance(found, Denied), found
    return found


ROLE = "roles:\n  oncall:\n    members: {users: [U0ALICE]}\n    allow:\n      - "


def rank(found: Verdict | Denied) -> int:
    """The more it demands, the higher."""
    return 99 if isinstance(found, Denied) else found.approval.rank


def validated(data: dict[str, Any]) -> Policy:
    return Policy.model_validate(data)
