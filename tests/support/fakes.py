"""Fakes that fit the ports and keep state, so that nothing needs to be patched."""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from bot.errors import CloudError, DirectoryError, HeldBackError
from bot.model.actions import Action, Json
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
from bot.model.operations import Answer
from bot.model.people import Actor, NamedUser, Person, Presence, UsersByName
from bot.model.ports import always
from bot.model.verdicts import RequestPreview

TEAM = "T0HOME"
ALICE = Actor(TEAM, "U0ALICE")
BOB = Actor(TEAM, "U0BOB")
MALLORY = Actor(TEAM, "U0MALLORY")


def made_up(action: Action) -> dict[str, Json]:
    """Make up a value for each parameter that is required or names what is touched."""
    values: dict[str, Json] = {}
    for param in action.params:
        if param.required or param.api in action.effect_spec.key:
            text = param.example or param.type.example or f"{param.word}1"
            made = param.type.read(text, now := time.time())
            values[param.api] = made if param.default is None else param.default_value(now)
    return values


@dataclass
class FakeCloud:
    """Accepts everything, unless a list of faults says otherwise, one for each call."""

    faults: list[CloudError | None] = field(default_factory=list)
    sent: list[Command] = field(default_factory=list)
    gate: asyncio.Event | None = None
    before: Callable[[Command], None] | None = None
    bodies: dict[str, dict[str, Json]] = field(default_factory=dict)
    before_stop: str | None = "active"
    read_before: list[Command] = field(default_factory=list)
    read_near: list[Command] = field(default_factory=list)
    read_domains: list[Command] = field(default_factory=list)
    silent_on_domains: bool = False
    called: asyncio.Event = field(default_factory=asyncio.Event)

    def preview(self, command: Command) -> RequestPreview:
        return RequestPreview(
            "POST", "https://cloud.example.com/", {"X-TC-Action": command.action.api}, "{}"
        )

    async def call(self, command: Command, may_leave: Callable[[], bool] = always) -> Answer:
        task = asyncio.current_task()
        if task is not None and task.get_name().startswith("before "):
            return await self._state_before(command)
        if task is not None and task.get_name().startswith("near "):
            return await self._read_near(command)
        if command.action.api == "DescribeLiveDomains":
            return await self._domains(command)
        if not may_leave():
            raise HeldBackError("It was about to leave too late.")
        self.sent.append(command)
        self.called.set()
        if self.before:
            self.before(command)
        if self.gate:
            await self.gate.wait()
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault
        body = self.bodies.get(command.action.api, {"StreamState": "active"})
        return Answer(f"request-{len(self.sent)}", body, 0.01)

    async def _domains(self, command: Command) -> Answer:
        """Answer what the account's domains are; without any, that is not known."""
        self.read_domains.append(command)
        if self.silent_on_domains:
            await asyncio.Event().wait()
        return Answer("request-domains", self.bodies.get(command.action.api, {}), 0.01)

    async def _read_near(self, command: Command) -> Answer:
        """Answer what is read before a ban, which is kept apart as well."""
        self.read_near.append(command)
        if self.before_stop is None:
            await asyncio.Event().wait()
        return Answer("request-near", {"StreamState": self.before_stop}, 0.01)

    async def _state_before(self, command: Command) -> Answer:
        """Answer the read beside a stop, which is kept apart from what people ask for."""
        self.read_before.append(command)
        if self.before_stop is None:
            await asyncio.Event().wait()
        return Answer("request-before", {"StreamState": self.before_stop}, 0.01)


@dataclass
class FakeDirectory:
    """Knows some people; of all others Slack says nothing."""

    people: dict[str, Person] = field(
        default_factory=lambda: {
            actor.user: Person(actor.user, TEAM) for actor in (ALICE, BOB, MALLORY)
        }
    )
    members: dict[str, frozenset[str]] = field(default_factory=dict)
    warm: bool = True
    """Whether everybody was looked up a moment ago."""
    names: list[NamedUser] = field(default_factory=list)
    channels: dict[str, Presence] = field(default_factory=lambda: {"C0INC": Presence.IN})

    async def person(self, actor: Actor) -> Person:
        try:
            return self.people[actor.user]
        except KeyError:
            raise DirectoryError("Slack did not say who you are.") from None

    def known(self, actor: Actor) -> Person | None:
        return self.people.get(actor.user) if self.warm else None

    async def groups(self, user: str, among: Iterable[str]) -> frozenset[str]:
        return frozenset(g for g in among if user in self.members.get(g, frozenset()))

    def groups_age(self, among: Iterable[str]) -> float | None:
        return 0.0 if frozenset(among) else None

    async def called(self, name: str) -> UsersByName:
        found = [one for one in self.names if name.casefold() == one.handle]
        return UsersByName(tuple(found), complete=True)

    async def presence(self, channel: str) -> Presence:
        return self.channels.get(channel, Presence.OUT)


@dataclass
class FakeNotifier:
    """Keeps what was delivered, in order; `results` are given out first, one for each try."""

    results: list[DeliveryResult] = field(default_factory=list)
    heard: list[Delivery] = field(default_factory=list)
    announced: list[str] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    words: list[EphemeralNotice] = field(default_factory=list)
    withdrawn: list[Withdrawal] = field(default_factory=list)

    async def deliver(self, delivery: Delivery) -> DeliveryResult:
        if self.results:
            result = self.results.pop(0)
            if not isinstance(result, Sent):
                return result
        if not await delivery.may_leave():
            return RetryLater(0.0, "another replica has taken it over")
        self.heard.append(delivery)
        ts = delivery.operation.card_ts or f"{len(self.heard)}.0"
        return Sent(delivery.operation.place.channel, ts)

    async def send_ephemeral(self, word: EphemeralNotice) -> DeliveryResult:
        self.words.append(word)
        return Sent()

    async def show_alert(
        self,
        alert: Alert,
        key: str,  # noqa: ARG002
        *,
        uncertain: bool,  # noqa: ARG002
        may_leave: MayLeave = at_any_time,
    ) -> DeliveryResult:
        if not await may_leave():
            return RetryLater(0.0, "another replica has taken it over")
        if self.results:
            result = self.results.pop(0)
            if not isinstance(result, Sent):
                return result
        self.alerts.append(alert)
        return Sent(alert.channel, alert.card_ts or f"{len(self.alerts)}.5")

    async def announce(
        self,
        text: str,
        key: str,  # noqa: ARG002
        *,
        uncertain: bool,  # noqa: ARG002
        seal: str = "",  # noqa: ARG002
        may_leave: MayLeave = at_any_time,
    ) -> DeliveryResult:
        if self.results:
            result = self.results.pop(0)
            if not isinstance(result, Sent):
                return result
        if not await may_leave():
            return RetryLater(0.0, "another replica has taken it over")
        self.announced.append(text)
        return Sent()

    async def withdraw(self, withdrawal: Withdrawal) -> None:
        self.withdrawn.append(withdrawal)

    def said(self, owed: MessageKind) -> list[Delivery]:
        return [delivery for delivery in self.heard if delivery.kind is owed]
