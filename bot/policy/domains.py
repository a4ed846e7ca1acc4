"""The domains that a policy file names; pure."""

import re
from collections.abc import Iterator, Mapping

from bot.model.actions import Action, Param
from bot.policy.schema import Policy

DOMAIN_PARAMS = ("DomainName", "PushDomainName")
"""Parameters that hold a domain, by Tencent's names."""

_HOST = re.compile(r"(?<![\w-])[\w-]+(?:\.[\w-]+)+")


def domain_param(action: Action) -> Param | None:
    """Return the parameter of an action that holds a domain; None if none does."""
    params = (action.param(name) for name in DOMAIN_PARAMS)
    return next((param for param in params if param is not None), None)


def named_domains(policy: Policy, account: str) -> Iterator[str]:
    """Yield the domains of defaults, targets and conditions; a condition may be a pattern.

    Args:
        account: Whose own defaults count as well.
    """
    own = policy.accounts.get(account)
    for defaults in (policy.defaults, own.defaults if own else {}):
        for values in defaults.values():
            yield from _of(values)
    for text in policy.targets.values():
        yield from _HOST.findall(text)
    conditions = [rule.where for role in policy.roles.values() for rule in role.allow]
    conditions += [one.where for one in policy.limits] + [one.where for one in policy.runbooks]
    for where in filter(None, conditions):
        # A pattern without a letter, like *, names nothing.
        yield from (name for name in _of(where) if re.search(r"\w", name))


def _of(values: Mapping[str, object]) -> Iterator[str]:
    yield from (str(values[name]) for name in DOMAIN_PARAMS if name in values)
