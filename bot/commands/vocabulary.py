"""The words that a command may use: the catalog, the policy file's targets and defaults."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bot.model.actions import DEFAULT, Account, Action, Effect, Params, Site
from bot.model.commands import Reason

VERBS = {
    "stop": Effect.STOP,
    "/stopstream": Effect.STOP,
    "stopstream": Effect.STOP,
    "start": Effect.START,
    "/startstream": Effect.START,
    "startstream": Effect.START,
    "status": Effect.READ,
}
"""The effect of each verb that may begin a text."""

KEYWORDS = ("help", "whoami", "audit", "off", "status")
"""First words that are no kind and win over a target of the same name."""

COMMON_NAMES = ("region", "account", "case")
"""Names that any command may give besides its parameters."""

REASON = "Reason"
"""Tencent's name of the parameter, which also names the code of one of the policy's reasons."""

_NO_ACCOUNT = Account()


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The actions of the catalog, and what the policy file adds to them.

    Attributes:
        defaults: By API name, words or product name: values, as text or number, for parameters
            that a command leaves out, by Tencent's names, `Region` included. An entry for the
            API takes precedence over one for the words, and that over one for the product.
        targets: Command texts by the names that stand for them. A kind, an API and a keyword
            take precedence over a target of the same name.
        region: The last default where an action needs a region.
        sites: The site of each product, by product name.
        accounts: The cloud accounts that `account=` may name.
        account: The default account; empty if a command must name one.
        reasons: The policy's reasons by code; without any, a reason is free text.
        reason_needed: API names of the actions that never go without one of them.
        called: The actions by their words and by their API names in lower case.
        secret_names: Words and names, in lower case, of the secret parameters of all actions.
    """

    actions: tuple[Action, ...]
    defaults: Mapping[str, Mapping[str, str | int | bool]]
    targets: Mapping[str, str]
    region: str
    sites: Mapping[str, Site]
    accounts: Mapping[str, Account] = field(default_factory=lambda: {DEFAULT: Account()})
    account: str = ""
    reasons: Mapping[str, Reason] = field(default_factory=dict)
    reason_needed: frozenset[str] = frozenset()
    called: Mapping[str, Sequence[Action]] = field(init=False, repr=False, compare=False)
    secret_names: frozenset[str] = field(init=False, repr=False, compare=False)
    _targets_of: Mapping[str, Sequence[str]] = field(init=False, repr=False, compare=False)
    _given: dict[tuple[str, str], Mapping[str, str | int | bool]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        """Index the actions, because each text is looked up several times before its ack."""
        called: dict[str, list[Action]] = {}
        for action in self.actions:
            for name in {action.words, action.api.casefold()}:
                called.setdefault(name, []).append(action)
        secret = [param for action in self.actions for param in action.params if param.secret]
        names = frozenset(name for one in secret for name in (one.api.casefold(), one.word))
        object.__setattr__(self, "called", called)
        object.__setattr__(self, "secret_names", names)
        targets: dict[str, list[str]] = {}
        for target in self.targets:
            targets.setdefault(target.casefold(), []).append(target)
        object.__setattr__(self, "_targets_of", targets)

    def takes_code(self, action: Action) -> bool:
        """Return whether the reason of an action is one of the policy's codes."""
        return bool(self.reasons) and action.takes_reason

    def at(self, channel: str) -> "Vocabulary":
        """Return the vocabulary of a channel, whose account is the default there."""
        here = (name for name, one in self.accounts.items() if channel in one.channels)
        account = next(here, "")
        return self.on(account) if account else self

    def on(self, account: str) -> "Vocabulary":
        """Return the vocabulary with another default account."""
        return self._with("account", account)

    def target_named(self, word: str) -> str:
        """Return the target of a name, in any case if only one matches; or empty."""
        if word in self.targets:
            return word
        near = [name for name in self._targets_of.get(word.casefold(), ()) if name in self.targets]
        return near[0] if len(near) == 1 else ""

    def without_targets(self) -> "Vocabulary":
        """Return the vocabulary without the policy's targets."""
        return self._with("targets", {})

    def _with(self, name: str, value: object) -> "Vocabulary":
        # Not with `replace`, which would index all actions anew, before an ack.
        other = copy.copy(self)
        object.__setattr__(other, name, value)
        return other

    @property
    def meant(self) -> str:
        """The account of a command that names none; empty where several are possible."""
        return self.account or (next(iter(self.accounts)) if len(self.accounts) == 1 else "")

    def site(self, action: Action, account: str) -> Site:
        """Return the site that an action is sent to on an account."""
        product = action.product
        own = self._account(account).site
        return own or self.sites.get(product.name, product.site)

    def chooses_site(self, account: str) -> str:
        """Return the name of the setting that decides on the site."""
        own = self._account(account).site is not None
        return f"accounts.{account}.site" if own else "STOPSTREAM_TENCENT_SITE"

    def defaults_for(
        self, action: Action, account: str
    ) -> Iterable[Mapping[str, str | int | bool]]:
        """Return the defaults of an action, the most specific first."""
        for defaults in (self._account(account).defaults, self.defaults):
            for name in (action.api, action.words, action.product.name):
                if name in defaults:
                    yield defaults[name]

    def given(self, action: Action, account: str) -> Mapping[str, str | int | bool]:
        """Return the policy's defaults of an action's parameters, by Tencent's own names."""
        # A typed account may be any text, and what is looked up is kept.
        account = account if account in self.accounts else ""
        known = self._given.get((action.api, account))
        if known is None:
            known = {}
            for param in action.params:
                for values in self.defaults_for(action, account):
                    name = next((name for name in param.names if name in values), None)
                    if name is not None:
                        known.setdefault(param.api, values[name])
            # Asked for at each parameter of each text, before its ack.
            self._given[action.api, account] = known
        return known

    def filled_in(self, action: Action) -> tuple[str, ...]:
        """Return the names of the parameters that the policy fills in where nobody gives them."""
        return tuple(self.given(action, self.meant))

    def usual(self, action: Action, account: str, params: Params) -> tuple[str, ...]:
        """Return the names of the parameters that have their default."""
        given = self.given(action, account)
        return tuple(
            param.api
            for param in action.params
            if param.api in params and given.get(param.api, param.default) == params[param.api]
        )

    def region_for(self, action: Action, account: str) -> str:
        """Return the configured region of a command that names none; or empty."""
        filled_in = self.defaults_for(action, account)
        of = (str(values["Region"]) for values in filled_in if "Region" in values)
        return next(of, "") or self._account(account).region or self.region

    def region_to_read(self, action: Action, account: str, near: str) -> str | None:
        """Return the region of a read that the bot makes by itself.

        Args:
            near: The region of the command that it is made for, or empty.

        Returns:
            Empty if it needs none; None if it cannot be determined.
        """
        if action.regions is None:
            return ""
        offered = action.regions.get(self.site(action, account), ())
        # A configured region that is not offered belongs to other products.
        only = offered[0] if len(offered) == 1 else ""
        fitting = (one for one in (near, self.region_for(action, account), only) if one in offered)
        return next(fitting, None)

    def _account(self, name: str) -> Account:
        return self.accounts.get(name, _NO_ACCOUNT)
