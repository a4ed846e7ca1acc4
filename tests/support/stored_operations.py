"""Operations as the tests of the store keep them."""

from bot.model.commands import Via
from bot.model.operations import Operation, State
from bot.model.people import Actor, Place

FACTS = {"who": "U0ALICE"}


def operation(number: int = 1, **given: str) -> Operation:
    return Operation(
        id=f"op{number}",
        key=given.get("key", f"key{number}"),
        state=State.ASKED,
        actor=Actor("T0HOME", "U0ALICE"),
        place=Place(given.get("channel", "C0INC")),
        via=Via.COMMAND,
        text="live stream1",
        asked_at=0.0,
        api="DropLiveStream",
        params={"StreamName": "stream1"},
    )
