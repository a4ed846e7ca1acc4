"""Loads the policy file with the vocabulary and the credentials that follow from it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bot.catalog.registry import ALL_ACTIONS, PRODUCTS
from bot.commands.parser import parse
from bot.commands.vocabulary import Vocabulary
from bot.errors import ConfigError, ParseError
from bot.hooks.live import check_callback_keys, split_keys
from bot.model.actions import DEFAULT, Account, Effect, Site
from bot.model.commands import Command, Reason
from bot.policy import reader
from bot.policy.reasons import always_needing_reason
from bot.policy.schema import AccountSettings, Policy
from bot.tencent.credentials import Access, Credentials, Fixed, flaw

Variable = Callable[[str], str | None]
"""Returns the value of an environment variable; None or empty where it is not set."""


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """A valid policy file, as loaded.

    Attributes:
        credentials: The access of each account, by name; unusable without variables.
        callback_keys: The keys of the Live callbacks of those accounts that name one.
    """

    policy: Policy
    vocabulary: Vocabulary
    credentials: Mapping[str, Access]
    callback_keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    @property
    def bots_own(self) -> str:
        """Return the account of the bot's own key; empty where the file names none with it."""
        named = self.policy.accounts.items()
        return next((name for name, one in named if not one.variables), "") if named else DEFAULT

    def account_now(self, name: str) -> str:
        """Return the present name of an account: the file may have named the bot's own since."""
        gone = name == DEFAULT and name not in self.policy.account_names
        return (self.bots_own or name) if gone else name


def loader(
    *,
    source: str,
    sites: Mapping[str, Site],
    region: str,
    now: float,
    variable: Variable | None = None,
) -> Callable[[str], LoadedPolicy]:
    """Return the function that loads the policy from the file's text.

    Args:
        source: The file's name, for its problems.
        sites: By product name; absent ones keep the product's own.
        region: Where neither command nor policy names one.
        now: Epoch seconds, to try targets that say times.
        variable: Reads the keys of accounts; without it they are not looked at.
    """
    known = {product.name: sites.get(product.name, product.site) for product in PRODUCTS}

    def vocabulary(read: Policy, targets: Mapping[str, str]) -> Vocabulary:
        named = {name: _account(profile) for name, profile in read.accounts.items()}
        accounts = named or {DEFAULT: Account()}
        return Vocabulary(
            ALL_ACTIONS,
            read.defaults,
            targets,
            region,
            known,
            accounts,
            reasons={code: Reason(one.text, one.sent) for code, one in read.reasons.items()},
            reason_needed=always_needing_reason(read, ALL_ACTIONS),
        )

    def wrong_target(read: Policy, words: str) -> str | None:
        bare = vocabulary(read, {})
        # Where several accounts have one key each, a target may go by the channel's.
        ways = [bare] if bare.meant else [bare.on(account) for account in bare.accounts]
        problems = [_problem(words, way, now) for way in ways]
        return problems[0] if all(problems) else None

    def load(text: str) -> LoadedPolicy:
        read = reader.load(
            text,
            actions=ALL_ACTIONS,
            source=source,
            check_target=wrong_target,
            check_variable=(lambda name: flaw(variable(name))) if variable else None,
        )
        access = {name: _access(profile, variable) for name, profile in read.accounts.items()}
        named = vocabulary(read, read.targets)
        callbacks = _callbacks(read, variable, source)
        return LoadedPolicy(read, named, access or {DEFAULT: Access()}, callbacks)

    return load


def _problem(words: str, vocabulary: Vocabulary, now: float) -> str | None:
    try:
        wanted = parse(words, verb=Effect.STOP, vocabulary=vocabulary, now=now)
    except ParseError as error:
        return error.sentence
    return None if isinstance(wanted, Command) else "is not a command like live stream1"


def _account(profile: AccountSettings) -> Account:
    return Account(profile.site, profile.region or "", profile.channels, profile.defaults)


def _callbacks(read: Policy, variable: Variable | None, source: str) -> dict[str, tuple[str, ...]]:
    """Return the callback keys of the accounts that name a variable of them.

    Raises:
        ConfigError: One can be guessed.
    """
    found: dict[str, tuple[str, ...]] = {}
    if variable is None:
        return found
    for account, profile in read.accounts.items():
        if profile.callback_key is None:
            continue
        value = variable(profile.callback_key) or ""
        where = f"{source}: accounts.{account}.callback_key"
        if not value:
            raise ConfigError([f"{where}: the variable {profile.callback_key} is not set"])
        try:
            check_callback_keys(value)
        except ValueError as error:
            raise ConfigError([f"{where}: the variable {profile.callback_key} {error}"]) from None
        found[account] = split_keys(value)
    return found


def _access(profile: AccountSettings, variable: Variable | None) -> Access:
    if variable is None or not profile.variables:
        return Access(None, profile.site)
    key = {part: variable(name) or "" for part, name in profile.variables.items()}
    return Access(Fixed(Credentials(**key)), profile.site)
