"""The shapes that rooms above and beside must fit, so that the service knows no room by name."""

from typing import Protocol

from bot.model.commands import Command
from bot.model.messages import Delivery, DeliveryResult, EphemeralNotice
from bot.model.operations import Answer
from bot.model.people import Actor, Person, Presence
from bot.model.verdicts import RequestPreview


class Cloud(Protocol):
    """Sends one signed request."""

    def preview(self, command: Command) -> RequestPreview:
        """Write the request as it would leave, without key, signature and secret parameters."""
        ...

    async def call(self, command: Command) -> Answer:
        """Send it once.

        Raises:
            NeverSentError: It did not leave; it may be tried again.
            NoAnswerError: It left, and may have run.
            ApiError: It was refused with a code.
        """
        ...


class Directory(Protocol):
    """Answers who someone is."""

    async def person(self, actor: Actor) -> Person:
        """Look a user up.

        Raises:
            DirectoryError: Slack did not answer, or knows no such user.
        """
        ...

    async def groups(self, user: str, among: frozenset[str]) -> frozenset[str]:
        """Give those of the user groups `among` that the user is in.

        Raises:
            DirectoryError: A group could not be read.
        """
        ...

    async def presence(self, channel: str) -> Presence:
        """Say whether the bot is in a channel."""
        ...


class Notifier(Protocol):
    """Delivers messages to people."""

    async def deliver(self, delivery: Delivery) -> DeliveryResult:
        """Render the operation as it is now and hand it to Slack. Never raises for Slack's sake."""
        ...

    async def send_ephemeral(self, word: EphemeralNotice) -> DeliveryResult:
        """Say a sentence to one person alone."""
        ...

    async def announce(self, text: str, key: str, *, uncertain: bool) -> DeliveryResult:
        """Say something that belongs to no operation in the audit channel.

        Args:
            text: Plain; it is escaped here.
            key: For the message's metadata.
            uncertain: An earlier try may have reached Slack.
        """
        ...
