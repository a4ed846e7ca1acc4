"""A policy with cases and runbooks, streams on the air, and the text of a card."""

from typing import Any

from bot.catalog.registry import action_of
from bot.cli.demo import INCIDENTS, Sandbox
from bot.model.actions import Json
from bot.model.operations import Operation
from handlers.messages import cards

POLICY = """
defaults:
  live: {DomainName: push.example.com}
cases: {C0INC: INC-7}
runbooks:
  - {actions: ["Drop*"], where: {StreamName: "main*"}, link: "https://wiki.example.com/main?a=1&b=2"}
limits:
  - {actions: [ForbidLiveStream], where: {StreamName: "vip-*"}, approval: second-person}
roles:
  oncall:
    members: {users: [U0ALICE]}
    allow:
      - {actions: ["Drop*"], approval: confirm, runbook: "https://wiki.example.com/drop"}
      - {actions: ["*LiveDomain"], approval: confirm}
      - {actions: ["Describe*"]}
  leads:
    members: {users: [U0BOB]}
    allow:
      - {actions: [DropLiveStream, ForbidLiveStream], approval: confirm, requests: true}
      - {actions: [StopPublishStream], where: {UserId: "u-*"}, channels: [C0ELSE], requests: true}
"""


ROW: dict[str, Json] = {
    "StreamName": "stream1",
    "DomainName": "push.example.com",
    "AppName": "live",
    "PublishTimeList": [{"PublishTime": "2026-11-20T10:00:00Z"}],
}


ONLINE: dict[str, dict[str, Json]] = {
    "DescribeLiveStreamOnlineList": {
        "TotalNum": 2,
        "OnlineInfo": [ROW, ROW | {"StreamName": "<b>"}],
    }
}


SINCE = 1_795_168_800.0
UNKNOWN = "Could not be read: whether it is being recorded, and by which tasks."


def shown(operation: Operation) -> str:
    return cards.card(operation, action_of(operation)).text


async def card(world: Sandbox, text: str, label: str = "Approve") -> Any:
    channel = world.slack.channels[INCIDENTS]
    await world.slack.person("U0ALICE").slash("/stopstream", text, INCIDENTS)
    return await world.slack.wait_for(
        lambda: next((m for m in channel.roots if label in m.buttons()), None)
    )
