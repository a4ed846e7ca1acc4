"""A policy with approvals, the people it names, and an operation that waits for them."""

from bot.model.operations import Operation, State
from bot.model.people import Actor, Person
from tests.conftest import House
from tests.support.fakes import ALICE, BOB, MALLORY, TEAM, FakeDirectory

CAROL, DAVE = Actor(TEAM, "U0CAROL"), Actor(TEAM, "U0DAVE")
PEOPLE = (ALICE, BOB, CAROL, DAVE, MALLORY)


POLICY = """
defaults:
  live: {DomainName: push.example.com}
limits:
  - {actions: [ForbidLiveStream], where: {StreamName: "vip-*"}, approval: second-person}
roles:
  oncall:
    members: {users: [U0ALICE]}
    allow:
      - actions: [DropLiveStream, ResumeLiveStream, "Describe*"]
        approval: second-person
        approvers: [leads]
        expires: 15m
        then: [chiefs]
        remind: 2m
      - actions: [ForbidLiveStream]
        approval: confirm
        break_glass: true
      - actions: [StopPublishStream]
        approval: second-person
        break_glass: true
        approvers: [leads]
        approvals_needed: 2
  leads:
    members: {users: [U0BOB, U0CAROL]}
    allow:
      - {actions: ["Drop*"], approval: confirm}
  chiefs:
    members: {users: [U0DAVE]}
"""


DROP, BAN, CAR = "live stream1", "ban stream1", "car user1"


def directory() -> FakeDirectory:
    return FakeDirectory(people={one.user: Person(one.user, TEAM) for one in PEOPLE})


async def waiting(house: House, text: str = DROP, actor: Actor = ALICE) -> Operation:
    operation = await house.run(text, actor)
    assert operation.state is State.WAITING
    return operation


def ran(house: House) -> list[str]:
    """Give what was sent besides reads."""
    apis = [command.action.api for command in house.cloud.sent]
    return [api for api in apis if not api.startswith("Describe")]
