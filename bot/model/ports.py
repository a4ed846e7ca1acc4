"""Protocols of what operations use: the cloud, the directory of users and the notifier."""

from collections.abc import Callable
from typing import Protocol

from bot.model.alerts import Alert
from bot.model.commands import Command
from bot.model.messages import (
    Delivery,
    DeliveryResult,
    EphemeralNotice,
    MayLeave,
    Withdrawal,
    at_any_time,
)
from bot.model.operations import Answer
from bot.model.people import Actor, Person, Presence, UsersByName
from bot.model.verdicts import RequestPreview


def always() -> bool:
    """Return true: a request may leave whenever it is ready."""
    return True


class Cloud(Protocol):
    """Sends one signed request."""

    def preview(self, command: Command) -> RequestPreview:
        """Render the request as it would be sent, without key, signature and secret parameters."""
        ...

    async def call(self, command: Command, may_leave: Callable[[], bool] = always) -> Answer:
        """Send it once.

        Args:
            may_leave: Asked at the last moment, when there is a connection.

        Raises:
            HeldBackError: It was not to leave any more.
            NeverSentError: It was not sent, and may be retried.
            NoAnswerError: It was sent, and may have run.
            ApiError: It was refused with a code.
        """
        ...


class Directory(Protocol):
    """Knows users, user groups and channels."""

    async def person(self, actor: Actor) -> Person:
        """Look a user up.

        Raises:
            DirectoryError: Slack did not answer, or knows no such user.
        """
        ...

    def known(self, actor: Actor) -> Person | None:
        """Return what was looked up of a user a moment ago; None where nothing is known."""
        ...

    async def groups(self, user: str, among: frozenset[str]) -> frozenset[str]:
        """Return those of the user groups `among` that the user is in.

        Raises:
            DirectoryError: A group could not be read.
        """
        ...

    def groups_age(self, among: frozenset[str]) -> float | None:
        """Return how old what is known of those groups is, in seconds; None if nothing is known."""
        ...

    async def called(self, name: str) -> UsersByName:
        """Return who has a name.

        Raises:
            DirectoryError: Slack did not say.
        """
        ...

    async def presence(self, channel: str) -> Presence:
        """Return whether the bot is in a channel."""
        ...


class Notifier(Protocol):
    """Delivers messages to people."""

    async def deliver(self, delivery: Delivery) -> DeliveryResult:
        """Render the operation as it is now and send it to Slack; Slack's errors are returned."""
        ...

    async def send_ephemeral(self, word: EphemeralNotice) -> DeliveryResult:
        """Send a sentence to one person only."""
        ...

    async def show_alert(
        self,
        alert: Alert,
        key: str,
        *,
        uncertain: bool,
        may_leave: MayLeave = at_any_time,
    ) -> DeliveryResult:
        """Post the card of an alert, or edit it.

        Args:
            key: For the message's metadata.
            uncertain: An earlier try may have reached Slack.
            may_leave: See Delivery.
        """
        ...

    async def announce(
        self,
        text: str,
        key: str,
        *,
        uncertain: bool,
        seal: str = "",
        may_leave: MayLeave = at_any_time,
    ) -> DeliveryResult:
        """Post a message that belongs to no operation in the audit channel.

        Args:
            text: Plain; it is escaped by the notifier.
            key: For the message's metadata.
            uncertain: An earlier try may have reached Slack.
            seal: See Delivery.
            may_leave: See Delivery.
        """
        ...

    async def withdraw(self, withdrawal: Withdrawal) -> None:
        """Delete what stands beside the message that counts, if that one stands itself."""
        ...
