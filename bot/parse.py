"""Text in, command out: pure, and every mistake is one sentence with its place."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.model import Action, Command, Effect, Site


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What can be said: the catalog and what the policy file adds to it.

    Attributes:
        defaults: By API name, words or product name: values as text or number that fill
            what the command leaves out, by Tencent's parameter names, `Region` included.
            The API's own entry wins over the words', the words' over the product's.
        targets: Names that people say, and the command text each stands for.
        region: Filled in last where an action needs a region.
        sites: The site of each product, by product name.
    """

    actions: tuple[Action, ...]
    defaults: Mapping[str, Mapping[str, str | int | bool]]
    targets: Mapping[str, str]
    region: str
    sites: Mapping[str, Site]


@dataclass(frozen=True, slots=True)
class Help:
    """They want help, on one kind or API (`topic`) or on all (empty)."""

    topic: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """They said nothing: show a form for the verb."""

    verb: Effect


@dataclass(frozen=True, slots=True)
class WhoAmI:
    """They want to know their roles and rights."""


@dataclass(frozen=True, slots=True)
class Audit:
    """They want to read the trail of the last `since` seconds."""

    since: float = 86_400.0


def parse(
    text: str, *, verb: Effect | None, vocabulary: Vocabulary, now: float
) -> Command | Help | Form | WhoAmI | Audit:
    """Read a text."""
    raise NotImplementedError
