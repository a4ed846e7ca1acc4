"""Messages to Slack: what is queued, and what became of a delivery."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from bot.model.alerts import Alert
from bot.model.operations import Operation, State
from bot.model.people import Actor, Place


class MessageKind(StrEnum):
    """A kind of message about an operation."""

    CARD = "card"
    """The root message: posted once, edited afterwards."""
    ENDING = "ending"
    """The line in its thread."""
    PRIVATE = "private"
    """To the actor only."""
    AUDIT = "audit"
    """The line in the audit channel."""
    REMINDER = "reminder"
    """A reminder in the thread for those who may approve."""
    LOOKED = "looked"
    """What was seen in the cloud a moment after a stop, in the thread."""
    SEEN = "seen"
    """What was seen of a watched stream, in the thread: it is live again, or has ended."""
    LIFT = "lift"
    """When something ends by itself, in the thread: once it is known, and again before."""
    LIFTED = "lifted"
    """That it has ended, in the thread, and what was seen then."""
    LATE = "late"
    """An answer of the cloud that came after another replica had taken over, in the thread."""
    ALERT = "alert"
    """The card of an alert: posted once, edited afterwards; it belongs to no operation."""
    WORD = "word"
    """An ephemeral sentence to a person who pressed a button."""

    @property
    def is_card(self) -> bool:
        """Whether it is posted once, and edited whenever what it shows has changed."""
        return self in (MessageKind.CARD, MessageKind.ALERT)

    @property
    def may_be_withdrawn(self) -> bool:
        """Whether it is deleted where it stands twice.

        Not what one person sees alone, which Slack does not let a bot find; nor a line of the
        audit log, of which nothing is ever removed.
        """
        return self not in (MessageKind.AUDIT, MessageKind.PRIVATE, MessageKind.WORD)


MayLeave: TypeAlias = Callable[[], Awaitable[bool]]
"""Returns whether a message may be posted now."""


async def at_any_time() -> bool:
    """Return true: a message may be posted whenever it is ready."""
    return True


@dataclass(frozen=True, slots=True)
class Delivery:
    """A queued message that is being delivered.

    Attributes:
        key: Stored in the message's metadata, so that a lost answer can be looked up.
        about_state: The state that an audit line is about.
        uncertain: An earlier try may have reached Slack.
        observed: The state that was read when it was queued, foreign text; of a verification,
            the seconds from the stop to it; of a watched stream, both, or as
            `watch_text.change` reads it; of a late answer, its ending or error code, and its
            RequestId.
        seal: The signed end of the audit log, as `format_checkpoint` writes it, for the metadata
            of an audit line; empty for others.
        may_leave: Asked right before it is posted: whether no other replica has it by now.
    """

    operation: Operation
    kind: MessageKind
    key: str
    about_state: State
    uncertain: bool = False
    observed: str = ""
    seal: str = ""
    may_leave: MayLeave = field(default=at_any_time, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class EphemeralNotice:
    """A sentence to one person, where they pressed a button.

    Attributes:
        text: Plain, with the ids of users and channels in it; it is escaped when shown.
        pressed_at: When they pressed, epoch seconds: how long `place.reply_url` holds.
        maybe_sent: It may have reached them before.
    """

    actor: Actor
    place: Place
    text: str
    pressed_at: float
    maybe_sent: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """Slack took the message.

    Attributes:
        seal: The signed end of the audit log that its metadata has; empty for none.
        text: Of a message with a seal, its text as Slack keeps it.
        maybe_twice: Another message with its key may stand beside it.
    """

    channel: str = ""
    ts: str = ""
    seal: str = ""
    text: str = ""
    maybe_twice: bool = False


@dataclass(frozen=True, slots=True)
class RetryLater:
    """Slack did not take it now.

    Attributes:
        seconds: Wait at least so long.
        uncertain: It may have been posted all the same.
        refused: Slack answered with a code that is not known to be final.
        steady: It is not Slack that is waited for, so each wait is as long as the last.
    """

    seconds: float
    why: str
    uncertain: bool = False
    refused: bool = False
    steady: bool = False


@dataclass(frozen=True, slots=True)
class Undeliverable:
    """Slack will never take it: the channel is gone, or the bot was removed.

    Attributes:
        closed: It is the channel, which somebody may open again or invite the bot to.
    """

    why: str
    closed: bool = False


DeliveryResult: TypeAlias = Sent | RetryLater | Undeliverable


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What is too many of a message that more than one replica may have posted.

    Attributes:
        about: As it was when this replica rendered the message.
        key: Of the message's metadata.
        counts: The `ts` of the one that the database names, which stays.
    """

    about: Operation | Alert
    kind: MessageKind
    key: str
    channel: str
    counts: str
