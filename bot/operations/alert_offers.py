"""What the card of an alert offers for its streams, as far as the policy lets anyone; pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from bot.catalog.registry import by_api
from bot.commands.formatting import quoted
from bot.commands.parser import parse
from bot.commands.vocabulary import Vocabulary
from bot.errors import ParseError
from bot.model.actions import Effect
from bot.model.alerts import Alert, NamedStream
from bot.model.commands import Command
from bot.operations.follow_ups import KEEP_OFF_FOR
from bot.policy.explanation import is_open_to_anyone
from bot.policy.loader import LoadedPolicy
from bot.times import format_duration


class AlertChoice(StrEnum):
    """What somebody may choose for a stream that an alert names."""

    STOP = "stop"
    BAN_SHORT = "ban-1"
    BAN_LONGER = "ban-2"
    BAN_LONGEST = "ban-3"

    @property
    def seconds(self) -> float:
        """How long a ban lasts; 0 for a stop."""
        return KEEP_OFF_FOR[int(self.value[-1]) - 1] if self is not AlertChoice.STOP else 0.0


@dataclass(frozen=True, slots=True)
class StreamOffer:
    """What may be done with one stream; where that is nothing, it is only named.

    Attributes:
        position: Among the streams of the alert.
    """

    position: int
    stream: NamedStream
    choices: tuple[AlertChoice, ...]

    @property
    def name(self) -> str:
        """What it is called: foreign text."""
        return next(iter(self.stream.params.values()), "")


def offers(alert: Alert, policy: LoadedPolicy, now: float) -> tuple[StreamOffer, ...]:
    """Return what the card of an alert offers now, for each stream whose alerts still fire."""
    vocabulary = policy.vocabulary.at(alert.channel)

    def possible(stream: NamedStream) -> Iterator[AlertChoice]:
        for choice in AlertChoice:
            command = command_for(stream, choice, vocabulary, now)
            if command and is_open_to_anyone(policy.policy, command, alert.channel):
                yield choice

    if not alert.is_open(now):
        return ()
    return tuple(
        StreamOffer(position, stream, tuple(possible(stream)))
        for position in alert.live_streams
        for stream in alert.streams[position : position + 1]
    )


def command_for(
    stream: NamedStream, choice: AlertChoice, vocabulary: Vocabulary, now: float
) -> Command | None:
    """Return the command for a stream, with the policy's defaults; None where there is none.

    It is read as if somebody had typed it, and must come out as it was named.

    Args:
        vocabulary: Of the channel.
    """
    stop = by_api(stream.api)
    api = stop.api if choice is AlertChoice.STOP else stop.longer_variant
    action = by_api(api) if api else None
    if action is None:
        return None
    words = [action.api, *(f"{name}={quoted(value)}" for name, value in stream.params.items())]
    words += [f"Account={quoted(stream.account)}"] if stream.account else []
    if choice.seconds and action.expiry is not None:
        words.append(f"{action.expiry[0]}={format_duration(choice.seconds)}")
    try:
        found = parse(" ".join(words), verb=Effect.STOP, vocabulary=vocabulary, now=now)
    except ParseError:
        return None
    if not isinstance(found, Command) or found.action is not action:
        return None
    is_same = all(found.params.get(name) == value for name, value in stream.params.items())
    return found if is_same else None
