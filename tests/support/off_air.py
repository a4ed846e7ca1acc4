"""What the tests of the off-air list, of expiries and of holds share."""

from bot.catalog.registry import ALL_ACTIONS
from bot.commands.parser import parse
from bot.commands.vocabulary import Vocabulary
from bot.model.actions import Effect, Json
from bot.model.commands import Command, Invocation, Via
from bot.model.operations import Operation, State
from bot.model.people import Actor, Place
from tests.conftest import House
from tests.support.fakes import ALICE

WHERE: dict[str, Json] = {
    "StreamName": "s1",
    "DomainName": "push.example.com",
    "AppName": "live",
}


WORDS = Vocabulary(
    ALL_ACTIONS,
    {"live": {"DomainName": "push.example.com"}},
    {"main-stage": "live stream9"},
    "",
    {"live": "mainland"},
)


def command(text: str) -> Command:
    found = parse(text, verb=Effect.STOP, vocabulary=WORDS, now=0.0)
    assert isinstance(found, Command), found
    return found


def ended(api: str, state: State = State.ACCEPTED, **params: Json) -> Operation:
    return Operation(
        id="op1",
        key="k",
        state=state,
        actor=Actor("T0HOME", "U0ALICE"),
        place=Place("C0INC"),
        via=Via.COMMAND,
        text="x",
        asked_at=1000.0,
        api=api,
        params=WHERE | params,
        ended_at=1000.0,
    )


POLICY = """
defaults: {live: {DomainName: push.example.com}}
roles:
  oncall: {members: {users: [U0ALICE]}, allow: [{actions: ["*"]}]}
  some: {members: {users: [U0MALLORY]}, allow: [{actions: ["*LiveStream"]}]}
  leads: {members: {users: [U0BOB]}, allow: [{actions: ["*"], approval: confirm}]}
"""


def press_of(actor: Actor) -> Invocation:
    return Invocation("press", actor, Place("C0INC"), "", Via.BUTTON, None)


async def listed(house: House, actor: Actor = ALICE, *, read_states: bool = False) -> list[str]:
    found = await house.service.queries.off_air(actor, Place("C0INC"), read_states=read_states)
    return [f"{one.operation.api} {one.operation.target}" for one in found.off]
