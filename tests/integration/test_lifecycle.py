"""The store's transitions, walked at random and held against a plain model."""

import asyncio
import contextlib
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bot.model.commands import Via
from bot.model.lifecycle import ENDINGS
from bot.model.messages import MessageKind, Sent
from bot.model.operations import Operation, State
from bot.model.people import Actor, Place
from bot.storage.store import Store
from bot.storage.transition import Guards, Transition
from tests.conftest import opened

FOLLOWS = {
    "asked": {"due", "waiting", "denied", "cancelled", "failed"},
    "waiting": {"waiting", "due", "denied", "cancelled", "expired"},
    "due": {"running", "denied", "failed"},
    "running": {"running", "due", "accepted", "already", "failed", "unknown"},
}
"""What may follow a state; nothing follows the others."""

STATES = st.sampled_from([state.value for state in State if state is not State.INVALID])
IDS = st.integers(0, 4).map("op{}".format)


class Life(RuleBasedStateMachine):
    """Five operations, two replicas that come and go, and what must be so at every moment."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.stack = contextlib.AsyncExitStack()
        self.states: dict[str, str] = {}
        self.owner: dict[str, str] = {}
        self.steps: dict[str, int] = {}
        self.endings_owed: set[str] = set()
        self.endings_heard: list[str] = []
        self.count = 0

    def do(self, work: Any) -> Any:
        return self.runner.run(work)

    @initialize()
    def begin(self) -> None:
        self.stack = contextlib.AsyncExitStack()
        url = f"sqlite:///{Path(self.folder.name) / 'life.db'}"
        self.count += 1
        self.name = f"replica-{self.count}"
        self.store: Store = self.do(self.stack.enter_async_context(opened(url, self.name)))

    @rule()
    def the_replica_dies_and_another_starts(self) -> None:
        self.do(self.stack.aclose())
        self.begin()

    @rule(id_=IDS)
    def someone_asks(self, id_: str) -> None:
        operation = Operation(
            id=id_,
            key=f"key of {id_}",
            state=State.ASKED,
            actor=Actor("T0HOME", "U0ALICE"),
            place=Place("C0INC"),
            via=Via.COMMAND,
            text="live x",
            asked_at=1.0,
            api="DropLiveStream",
        )
        asked = self.do(self.store.operations.add(operation, {}))
        assert (asked is None) == (id_ in self.states), "the same key is on file once"
        if asked is not None:
            self.states[id_] = "asked"
            self.owner[id_] = self.name
            self.steps[id_] = 1

    @rule(id_=IDS, before=STATES, after=STATES, mine=st.booleans())
    def a_step_is_wished(self, id_: str, before: str, after: str, mine: bool) -> None:
        allowed = after in FOLLOWS.get(before, set())
        meanwhile = "approved" if before == after == "waiting" else ""
        move = Transition(
            id_,
            (State(before), State(after)),
            {},
            guards=Guards(owner=self.name if mine else ""),
            meanwhile=meanwhile,
        )
        try:
            moved = self.do(self.store.operations.apply(move))
        except KeyError:
            assert not allowed
            return
        assert allowed
        held = not mine or self.owner.get(id_) == self.name
        assert (moved is not None) == (self.states.get(id_) == before and held)
        if moved is not None:
            self.arrives(id_, after)

    @rule(id_=IDS)
    def it_is_let_through_and_sent_in_one_transaction(self, id_: str) -> None:
        path = (State.ASKED, State.DUE, State.RUNNING)
        moved = self.do(self.store.operations.apply(Transition(id_, path, {})))
        assert (moved is not None) == (self.states.get(id_) == "asked")
        if moved is not None:
            self.arrives(id_, "due")
            self.arrives(id_, "running")

    def arrives(self, id_: str, state: str) -> None:
        self.states[id_] = state
        self.steps[id_] += 1
        self.owner[id_] = self.name if state in ("asked", "due", "running") else ""
        if State(state) in ENDINGS:
            self.endings_owed.add(id_)

    @rule()
    def slack_hears_what_is_owed(self) -> None:
        async def deliver() -> list[str]:
            heard = []
            while owing := await self.store.outbox.claim():
                for one in owing:
                    assert await self.store.outbox.mark_in_flight(one)
                    await self.store.outbox.mark_delivered(one, Sent("C0INC", "1.0"))
                    if one.kind is MessageKind.ENDING:
                        assert one.operation is not None
                        heard.append(one.operation.id)
            return heard

        self.endings_heard += self.do(deliver())

    @invariant()
    def the_store_says_what_the_model_says(self) -> None:
        if not self.states:
            return

        async def read() -> dict[str, str]:
            found = [await self.store.operations.get(id_) for id_ in self.states]
            return {one.id: one.state.value for one in found if one is not None}

        assert self.do(read()) == self.states
        with self.store.audit_log.records() as records:
            kept = [record.operation for record in records if record.kind != "delivered"]
        assert {id_: kept.count(id_) for id_ in self.states} == self.steps, "one record a step"
        assert len(self.endings_heard) == len(set(self.endings_heard)), "said once"
        assert set(self.endings_heard) <= self.endings_owed

    def teardown(self) -> None:
        if self.count:
            with self.store.audit_log.snapshot() as audited:
                broken = audited.verify((), lambda _seq: None).found
            self.do(self.stack.aclose())
            assert broken is None
        self.runner.close()
        self.folder.cleanup()


Life.TestCase.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
TestLife = Life.TestCase
