"""The policy file as the program uses it: who may, and what can be said."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot import policy
from bot.catalog import ACTIONS, PRODUCTS
from bot.errors import ParseError
from bot.model import Command, Effect, Site
from bot.parse import Vocabulary, parse
from bot.policy import Policy


@dataclass(frozen=True, slots=True)
class Rules:
    """One reading of the policy file."""

    policy: Policy
    vocabulary: Vocabulary


def loader(
    *, source: str, sites: Mapping[str, Site], region: str, now: float
) -> Callable[[str], Rules]:
    """Make the function that turns the file's text into rules.

    Args:
        source: The file's name, for its problems.
        sites: By product name; absent ones keep the product's own.
        region: Where neither command nor policy names one.
        now: Epoch seconds, to try targets that say times.
    """
    known = {product.name: sites.get(product.name, product.site) for product in PRODUCTS}

    def wrong_target(read: Policy, words: str) -> str | None:
        bare = Vocabulary(ACTIONS, read.defaults, {}, region, known)
        try:
            wanted = parse(words, verb=Effect.STOP, vocabulary=bare, now=now)
        except ParseError as error:
            return error.sentence
        return None if isinstance(wanted, Command) else "is not a command like live stream1"

    def load(text: str) -> Rules:
        read = policy.load(text, actions=ACTIONS, source=source, check_target=wrong_target)
        return Rules(read, Vocabulary(ACTIONS, read.defaults, read.targets, region, known))

    return load
