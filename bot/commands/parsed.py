"""The results of parsing: what a text asks for, and the arguments of a command in progress."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from bot.catalog.stream_urls import StreamUrl
from bot.commands.diagnostics import Span
from bot.commands.tokens import Token
from bot.commands.vocabulary import Vocabulary
from bot.model.actions import Action, Effect, Json
from bot.model.commands import Command
from bot.model.operations import State


@dataclass(frozen=True, slots=True)
class Help:
    """A request for help on one kind or API (`topic`) or on all of them (empty)."""

    topic: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """An empty text, which opens a form for the verb."""

    verb: Effect


@dataclass(frozen=True, slots=True)
class WhoAmI:
    """A request for the user's own roles and permissions."""


ME = "me"
"""Stands for the id of the user who searches the audit log."""


@dataclass(frozen=True, slots=True)
class Audit:
    """A search of the audit log. Empty fields match everything.

    Attributes:
        since: Seconds to look back.
        user: Id of the user who asked; `ME` for the one who searches.
        name: Name of the user who asked, where no id was given.
        apis: Any of these.
        target: An exact name, or a prefix and a `*`.
        state: The state that an operation is in.
        case: The case that an operation belongs to.
        account: May be one that the policy no longer contains.
    """

    since: float = 86_400.0
    user: str = ""
    apis: tuple[str, ...] = ()
    target: str = ""
    state: State | None = None
    case: str = ""
    account: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class OffAir:
    """A request for the list of what is off air or on hold."""


ParseResult: TypeAlias = "Command | Help | Form | WhoAmI | Audit | OffAir"


@dataclass(frozen=True, slots=True)
class ParsedArguments:
    """The typed arguments of an action, before defaults are filled in.

    Attributes:
        values: By Tencent's parameter names.
        spans: Seconds of each time that was typed as a duration from now.
        reason: The code of the policy's reason, where the policy has reasons.
    """

    values: Mapping[str, Json] = field(default_factory=dict)
    region: str = ""
    account: str = ""
    case: str = ""
    spans: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""

    def merge(self, base: "ParsedArguments") -> "ParsedArguments":
        """Return these arguments, completed by those of `base`."""
        return ParsedArguments(
            {**base.values, **self.values},
            self.region or base.region,
            self.account or base.account,
            self.case or base.case,
            {n: s for n, s in base.spans.items() if n not in self.values} | dict(self.spans),
            self.reason or base.reason,
        )

    def restrict_to(self, action: Action) -> "ParsedArguments":
        """Return only the arguments that an action takes."""
        names = {param.api for param in action.params}
        values = {name: value for name, value in self.values.items() if name in names}
        region = self.region if action.regions is not None else ""
        spans = {name: span for name, span in self.spans.items() if name in names}
        reason = self.reason if action.takes_reason else ""
        return ParsedArguments(values, region, self.account, self.case, spans, reason)


@dataclass(frozen=True, slots=True)
class Assignment:
    """Tokens assigned to the parameters of an action.

    Attributes:
        places: The token of each parameter, by Tencent's names, `Region`, `Account`, `Case`
            and `Reason`.
        base: The arguments of a target, which typed ones override.
        url: The stream URL that was typed as the stream's name.
        account: The account as typed, not yet checked.
    """

    places: Mapping[str, Token] = field(default_factory=dict)
    base: ParsedArguments = field(default_factory=ParsedArguments)
    url: StreamUrl | None = None
    account: str = ""

    def place(self, name: str, token: Token, url: StreamUrl | None = None) -> "Assignment":
        """Return this assignment with one more token."""
        places = {**self.places, name: token}
        return Assignment(places, self.base, url or self.url, self.account)

    def assumed_account(self, vocabulary: Vocabulary) -> str:
        """Return the account of the command, as far as it is known yet."""
        return self.account or self.base.account or vocabulary.meant


@dataclass(frozen=True, slots=True)
class Interpretation:
    """A result, and where in the text it came from.

    Attributes:
        places: The token of each typed argument of a command, as in `Assignment`.
        hidden: Spans of the text that may hold a secret.
    """

    result: ParseResult
    places: Mapping[str, Token] = field(default_factory=dict)
    hidden: frozenset[Span] = frozenset()
