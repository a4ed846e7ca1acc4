"""A messenger over an emulated Slack, and the operations it tells of."""

from dataclasses import dataclass, replace

from bot.model.commands import Via
from bot.model.messages import Delivery, MessageKind
from bot.model.operations import Operation, State
from bot.model.people import Actor, Place
from handlers.slack.messenger import Messenger
from tests.support.fake_slack import FakeSlack

ASKED_AT = 1_700_000_000.0
OPERATION = Operation(
    id="op1",
    key="trigger",
    state=State.RUNNING,
    actor=Actor("T0HOME", "U0ALICE"),
    place=Place("C0INC"),
    via=Via.COMMAND,
    text="live stream1",
    asked_at=ASKED_AT,
    api="DropLiveStream",
    params={"StreamName": "stream1", "DomainName": "push.example.com", "AppName": "live"},
    rule="roles.oncall.allow[0]",
    attempts=1,
)
ACCEPTED = replace(
    OPERATION,
    state=State.ACCEPTED,
    card_channel="C0INC",
    card_ts="1700000000.000100",
    request_id="8e50cdb5-56dc-408b-89b0-31818958d424",
    duration=0.1,
)
DENIED = replace(OPERATION, state=State.DENIED, detail="You have no role.", attempts=0)


class Clock:
    now = ASKED_AT + 1

    def __call__(self) -> float:
        return self.now


@dataclass
class Office:
    slack: FakeSlack
    desk: Messenger
    clock: Clock
    lost: list[str]


def delivery(
    operation: Operation, owed: MessageKind = MessageKind.CARD, *, uncertain: bool = False
) -> Delivery:
    key = f"{operation.id}:{owed.value}"
    return Delivery(operation, owed, key, operation.state, uncertain=uncertain)
