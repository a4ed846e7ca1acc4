"""Invocations as typed, and the commands that they mean."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bot.model.actions import DEFAULT, Action, Effect, Params
from bot.model.people import Actor, Place

HOLD_TARGET = "Target"
"""Name of the parameter that says what is held: its type, and what identifies it."""


class Via(StrEnum):
    """The way in which an invocation arrives."""

    COMMAND = "command"
    MENTION = "mention"
    FORM = "form"
    BUTTON = "button"
    LIST = "list"
    """A button in a list or on the home tab, away from the operation's own card."""
    TERMINAL = "terminal"


@dataclass(frozen=True, slots=True)
class Invocation:
    """What was typed or pressed, as it came.

    Attributes:
        key: Makes the run unique: `trigger_id`, `event_id`, …
        verb: What the way in implies, e.g. START for `/startstream`; None where the
            text must say it itself.
        repeated: It may have come, and been recorded, before under the same key.
    """

    key: str
    actor: Actor
    place: Place
    text: str = field(repr=False)
    via: Via = Via.COMMAND
    verb: Effect | None = Effect.STOP
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason of the policy, which people give by its code.

    Attributes:
        text: For people.
        sent: Sent as Tencent's `Reason` where an API takes one.
    """

    text: str
    sent: str


@dataclass(frozen=True, slots=True)
class Command:
    """What the text meant.

    Attributes:
        region: X-TC-Region, empty where the action needs none.
        account: Name of the cloud account.
        case: The incident or ticket it belongs to, or empty.
        spans: Of the times that were said as a span from now, the seconds, by Tencent's names.
        reason: The code of the policy's reason that was given, or empty.
    """

    action: Action
    params: Params = field(repr=False)
    region: str = ""
    account: str = DEFAULT
    case: str = ""
    spans: Mapping[str, float] = field(default_factory=dict, compare=False)
    reason: str = ""

    @property
    def target(self) -> str:
        """Return what people search for: the first parameter that must be given."""
        name = self.action.main_param
        found = str(self.params.get(name, ""))
        # The target of a hold begins with its type, which nobody searches for.
        return found.partition(" ")[2] if name == HOLD_TARGET else found
