"""The CAM policy for the bot's key: what it must be able to call, in Tencent Cloud's form; pure."""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from bot.catalog.registry import ACTIONS, by_api
from bot.model.actions import Action, Json
from bot.policy.domains import domain_param
from bot.policy.evidence import action_for
from bot.policy.matching import covers_account
from bot.policy.schema import EvidenceSettings, Limit, Policy, Rule

_CHECK = "DescribeLiveStreamState"
"""What `stopstream check` reads."""

_DOMAINS = "DescribeLiveDomains"
"""What tells whether a domain is one of the account's."""


def document(actions: Iterable[Action]) -> dict[str, Json]:
    """Return a CAM policy that allows some actions, on every resource.

    Source: https://www.tencentcloud.com/document/product/598/10603
    """
    names: list[Json] = [f"name/{action.product.name}:{action.api}" for action in actions]
    statement: Json = {"effect": "allow", "action": names, "resource": ["*"]}
    return {"version": "2.0", "statement": [statement]}


def needed(policy: Policy | None, account: str) -> list[Action]:
    """Return what the key of an account must be able to call, in the order of the catalog.

    That is what the policy allows to anyone, or every action without one, and what the bot reads
    about it: the state before and after, what a card shows, the domains of the account.
    """
    allowed = [one for one in ACTIONS if policy is None or _is_allowed(policy, account, one)]
    reads = {api for action in allowed for api in _reads(action)}
    apis = {action.api for action in allowed} | reads | {_CHECK}
    if policy is not None:
        apis |= {action_for(one).api for one in policy.evidence if _may_be_taken(one, account)}
    return [action for action in ACTIONS if action.api in apis]


def _is_allowed(policy: Policy, account: str, action: Action) -> bool:
    rules = (rule for role in policy.roles.values() for rule in role.allow)
    allowed = any(_covers(rule, account, action) for rule in rules)
    never = any(
        limit.deny and limit.where is None and _covers(limit, account, action)
        for limit in policy.limits
    )
    return allowed and not never


def _may_be_taken(evidence: EvidenceSettings, account: str) -> bool:
    return covers_account(evidence.accounts, account)


def _covers(entry: Rule | Limit, account: str, action: Action) -> bool:
    on_account = entry.accounts is None or any(fnmatchcase(account, p) for p in entry.accounts)
    return on_account and any(fnmatchcase(action.api, pattern) for pattern in entry.actions)


def _reads(action: Action) -> Iterator[str]:
    if action.status_read:
        yield action.status_read
    yield from action.impact_reads
    if domain_param(action) is not None:
        yield by_api(_DOMAINS).api
