"""The cloud and Slack as replicas of a simulation meet them, and what was seen there."""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bot.errors import ApiError, HeldBackError, NeverSentError, NoAnswerError
from bot.model.actions import Effect, Json
from bot.model.alerts import Alert
from bot.model.commands import Command
from bot.model.messages import (
    Delivery,
    DeliveryResult,
    EphemeralNotice,
    MayLeave,
    MessageKind,
    RetryLater,
    Sent,
    Withdrawal,
    at_any_time,
)
from bot.model.operations import Answer, State
from bot.model.ports import always
from bot.model.verdicts import RequestPreview
from tests.simulation.database import MemoryDatabase, chosen
from tests.simulation.machine import LEASE, Machine

AUDIT = "C0AUDIT"

DOMAINS = ("push.example.com", "play.example.com")


@dataclass(slots=True)
class Request:
    """A request that has reached the cloud.

    Attributes:
        operation: The id of the operation whose task has sent it.
        ran: Whether it had its effect.
        answered_at: When its answer has reached the machine; None if it did not.
    """

    operation: str
    command: Command
    request_id: str
    machine: Machine
    ran: bool
    answered_at: float | None = None


@dataclass(slots=True)
class Posted:
    """A message in Slack.

    Attributes:
        row: Of the outbox, when it was posted; None where it was gone by then.
        lane: The destination, and the lane of its own if it was set aside.
        machine: What it was posted from.
        late: Whether it came after its poster had looked at the lease for the last time.
        state: What a card says.
    """

    key: str
    ts: str
    row: int | None
    lane: tuple[str, str]
    machine: Machine
    late: bool = False
    state: State | None = None


@dataclass
class Seen:
    """What was seen outside in one run.

    Attributes:
        faulty: Whether the cloud and Slack still fail.
        wrong: What must never be seen.
    """

    dice: random.Random
    database: MemoryDatabase
    note: Callable[[str], None]
    faulty: bool = True
    requests: list[Request] = field(default_factory=list[Request])
    standing: list[Posted] = field(default_factory=list[Posted])
    wrong: list[str] = field(default_factory=list[str])
    _count: int = 0

    @property
    def posted(self) -> dict[str, Posted]:
        """What stands in Slack, by its key."""
        return {one.key: one for one in self.standing}

    def named(self, key: str) -> list[Posted]:
        """Return what stands with a key, the oldest first."""
        return [one for one in self.standing if one.key == key]

    def ts(self) -> str:
        """Return the `ts` of what is posted next."""
        self._count += 1
        return f"{self._count}.0"

    def fate(self, chances: Mapping[str, float], calm: str) -> str:
        """Return what happens to a call."""
        return str(chosen(self.dice, chances)) if self.faulty else calm

    def takes(self) -> float:
        """Return the seconds for which a call is under way."""
        if not self.faulty:
            return 0.01
        return float(chosen(self.dice, {0.0: 3, 0.01: 4, 0.4: 2, 3.0: 0.7, 9.0: 0.3}))


class SimulatedCloud:
    """Takes requests from one machine; some are refused, some answers are lost."""

    def __init__(self, seen: Seen, machine: Machine) -> None:
        self._seen = seen
        self._machine = machine

    def preview(self, command: Command) -> RequestPreview:
        return RequestPreview("POST", "https://cloud.example.com/", {}, command.action.api)

    async def call(self, command: Command, may_leave: Callable[[], bool] = always) -> Answer:
        if command.action.effect is Effect.READ:
            rows: list[Json] = [{"Name": name, "Type": 0} for name in DOMAINS]
            body: dict[str, Json] = {
                "StreamState": "active",
                "DomainList": rows,
                "AllCount": len(rows),
            }
            return Answer("read", body, 0.01)
        seen, machine = self._seen, self._machine
        await machine.pause(seen.takes())
        chances = {"ran": 8, "no answer": 2, "refused": 2, "busy": 1, "unclear": 2, "away": 1}
        fate = seen.fate(chances, "ran")
        if fate == "away":
            raise NeverSentError("no connection")
        if not may_leave():
            raise HeldBackError("It was about to leave too late.")
        return await self._answer(command, fate)

    async def _answer(self, command: Command, fate: str) -> Answer:
        seen, machine = self._seen, self._machine
        ran = fate in ("ran", "no answer") or (fate == "unclear" and seen.dice.random() < 0.5)
        request = Request(_operation(), command, f"rid{len(seen.requests)}", machine, ran)
        seen.requests.append(request)
        self._check_lease(request)
        seen.note(f"{machine.name}: {command.action.api} of {request.operation} left: {fate}")
        await machine.pause(seen.takes())
        if fate == "no answer":
            raise NoAnswerError("the connection was lost")
        request.answered_at = machine.loop.passed
        codes = {
            "refused": "InvalidParameter",
            "busy": "RequestLimitExceeded",
            "unclear": "InternalError",
        }
        if fate in codes:
            raise ApiError(codes[fate], "no", request_id=request.request_id)
        return Answer(request.request_id, {}, 0.01)

    def _check_lease(self, request: Request) -> None:
        """Note what leaves although it is another replica's, or over."""
        query = "SELECT state, owner FROM operations WHERE id = :id"
        found = self._seen.database.rows(query, {"id": request.operation})
        if found != [("running", self._machine.name)]:
            self._seen.wrong.append(f"{request.operation} was sent while the row says {found}")


def _operation() -> str:
    task = asyncio.current_task()
    assert task is not None
    return task.get_name().removeprefix("operation ")


class SimulatedSlack:
    """Takes messages from one machine, as the messenger sends them.

    What may have been posted before is looked for by its key. Slack has no fence: who stands
    still with half of a request sent may post it after another.
    """

    def __init__(self, seen: Seen, machine: Machine) -> None:
        self._seen = seen
        self._machine = machine

    async def deliver(self, delivery: Delivery) -> DeliveryResult:
        operation = delivery.operation
        if delivery.kind is MessageKind.PRIVATE:
            return await self._privately()
        channel = AUDIT if delivery.kind is MessageKind.AUDIT else operation.place.channel
        if delivery.kind is not MessageKind.CARD:
            return await self._post(
                channel, delivery.key, delivery.may_leave, uncertain=delivery.uncertain
            )
        return await self._post(
            channel,
            delivery.key,
            delivery.may_leave,
            uncertain=delivery.uncertain,
            ts=operation.card_ts,
            state=operation.state,
        )

    async def send_ephemeral(self, word: EphemeralNotice) -> DeliveryResult:  # noqa: ARG002
        return await self._privately()

    async def show_alert(
        self,
        alert: Alert,
        key: str,
        *,
        uncertain: bool,
        may_leave: MayLeave = at_any_time,
    ) -> DeliveryResult:
        return await self._post(
            alert.channel, key, may_leave, uncertain=uncertain, ts=alert.card_ts
        )

    async def announce(
        self,
        text: str,  # noqa: ARG002 (a key is enough)
        key: str,
        *,
        uncertain: bool,
        seal: str = "",  # noqa: ARG002 (see above)
        may_leave: MayLeave = at_any_time,
    ) -> DeliveryResult:
        return await self._post(AUDIT, key, may_leave, uncertain=uncertain)

    async def _privately(self) -> DeliveryResult:
        await self._machine.pause(self._seen.takes())
        return Sent()

    async def _post(
        self,
        channel: str,
        key: str,
        may_leave: MayLeave,
        *,
        uncertain: bool,
        ts: str = "",
        state: State | None = None,
    ) -> DeliveryResult:
        seen, machine = self._seen, self._machine
        named = seen.named(key)
        # Slack shows the newest first.
        known = next((one for one in named[::-1] if (one.ts == ts if ts else uncertain)), None)
        maybe_twice = uncertain and not ts and len(named) != 1
        if uncertain and not ts:
            # The answer to the look takes a while; what is posted meanwhile is not in it.
            await machine.pause(seen.takes())
        if known not in seen.standing:
            known = None
        if known is None and not await may_leave():
            return RetryLater(0.0, "another replica has taken it over")
        query = "SELECT id, aside FROM outbox WHERE key = :key"
        # What another replica has delivered since is on file no more, and may still be posted.
        found = seen.database.rows(query, {"key": key}) or [(None, "")]
        row, aside = found[0]
        chances = {"done": 10, "late": 3, "lost": 1.5, "refused": 1.5, "away": 1}
        fate = seen.fate(chances, "done")
        if fate == "refused":
            return RetryLater(0.0, "Slack refused it (update_failed)", refused=True)
        if fate == "away":
            return RetryLater(1.0, "Slack cannot be reached")
        if known is None:
            late = fate == "late"
            if late:
                machine.suspend()
                machine.loop.skipped += 1.2 * LEASE
                await machine.pause(0.0)
            known = self._new(Posted(key, seen.ts(), row, (channel, aside), machine, late))
        known.state = state
        await machine.pause(seen.takes())
        if fate == "lost":
            return RetryLater(1.0, "Slack gave no usable answer", uncertain=True)
        return Sent(channel, known.ts, maybe_twice=maybe_twice)

    def _new(self, posted: Posted) -> Posted:
        seen, named = self._seen, self._seen.named(posted.key)
        seen.note(f"{self._machine.name}: posts {posted.key}, {posted.ts}")
        if named and not any(one.late for one in (posted, *named)):
            seen.wrong.append(f"{posted.key} was posted twice")
        later = [one.key for one in seen.standing if _passed(one, posted)]
        if later and not posted.late:
            seen.wrong.append(f"{posted.key} was posted after {later[0]}")
        seen.standing.append(posted)
        return posted

    async def withdraw(self, withdrawal: Withdrawal) -> None:
        seen, machine, counts = self._seen, self._machine, withdrawal.counts
        standing = [one.ts for one in seen.named(withdrawal.key)]
        await machine.pause(seen.takes())
        for ts in standing if counts in standing else ():
            if ts not in (counts, withdrawal.about.card_ts):
                seen.note(f"{machine.name}: withdraws {withdrawal.key}, {ts}")
                seen.standing = [one for one in seen.standing if one.ts != ts]
                await machine.pause(seen.takes())


def _passed(one: Posted, other: Posted) -> bool:
    if one.row is None or other.row is None:
        return False
    return one.lane == other.lane and one.row > other.row
