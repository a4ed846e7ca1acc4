"""Refuses a domain that is neither one of the account's nor named in the policy."""

import asyncio
import time
from collections.abc import Callable
from fnmatch import fnmatchcase

import structlog
from cachetools import TTLCache

from bot.catalog.near_names import near_names
from bot.catalog.registry import by_api
from bot.model.actions import DEFAULT, Params
from bot.model.commands import Command
from bot.model.operations import Operation
from bot.model.verdicts import Denied
from bot.operations.state_reader import StateReader
from bot.policy.domains import domain_param, named_domains
from bot.policy.loader import LoadedPolicy
from bot.redact import apart

log = structlog.get_logger("stopstream.engine")

WITHIN = 1.5
"""Seconds that reading the domains may take; without an answer by then any domain is accepted."""

FRESH = 600.0
"""Seconds for which a domain that was listed is known."""

_PAGES = 5
"""Pages that are read, at most; where there are more, any domain is accepted."""

_TENCENTS_OWN = ".livepush.myqcloud.com"
"""How the default push domains end; whether every account's list has its own is not documented."""

_SHOWN = 5
"""Domains that are named where none is similar."""

_PLAY = 1
"""`Type` of a play domain; 0 is a push domain."""


class AccountDomains:
    """Knows the domains of each account, by DescribeLiveDomains.

    Args:
        policy: Returns the policy as it is now.
        timer: Seconds.
    """

    def __init__(
        self,
        *,
        reader: StateReader,
        policy: Callable[[], LoadedPolicy],
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._policy = policy
        self._known: TTLCache[str, frozenset[tuple[str, bool]]] = TTLCache(64, FRESH, timer=timer)

    async def refusal(self, operation: Operation, command: Command) -> Denied | None:
        """Return why nothing is sent to a command's domain; None where it may be right.

        Only a list that was read just now refuses: a domain may be new.
        """
        domain = _domain(command)
        if not domain or operation.origin.request_of or domain.endswith(_TENCENTS_OWN):
            return None
        named = named_domains(self._policy().policy, command.account)
        if any(fnmatchcase(domain, one.casefold()) for one in named):
            return None
        pushed = command.action.effect_spec.resource_type.name != "domain"
        if domain in _usable(self._known.get(command.account, frozenset()), pushed=pushed):
            return None
        try:
            async with asyncio.timeout(WITHIN):
                read = await self._read(command.account)
        except TimeoutError:
            read = None
        if not read:
            log.warning("the domains of the account are not known", account=command.account)
            return None
        self._known[command.account] = read
        usable = _usable(read, pushed=pushed)
        return (
            None if domain in usable else _unknown(domain, usable, command.account, pushed=pushed)
        )

    async def push_domains(self, account: str) -> frozenset[str]:
        """Return the domains that an account's streams are pushed to; empty if not known."""
        known = self._known.get(account) or await self._read(account) or frozenset()
        if known:
            self._known[account] = known
        return _usable(known, pushed=True)

    async def _read(self, account: str) -> frozenset[tuple[str, bool]] | None:
        """Return the account's domains, each with whether it is for pushing; None if not all."""
        api = by_api("DescribeLiveDomains")
        found: set[tuple[str, bool]] = set()
        rows = 0
        for page in range(1, _PAGES + 1):
            asked = Command(api, {"PageSize": 100, "PageNum": page}, "", account)
            body = await self._reader.send(asked, WITHIN)
            listed = (body or {}).get("DomainList")
            if body is None or not isinstance(listed, list):
                return None
            found |= {_as_known(row) for row in listed if isinstance(row, dict)}
            rows += len(listed)
            total = body.get("AllCount")
            if not listed or (isinstance(total, int) and rows >= total):
                return frozenset(found)
        return None


def _domain(command: Command) -> str:
    """Return the domain that a command names, as domains are compared; or empty."""
    param = domain_param(command.action)
    value = command.params.get(param.api) if param is not None else None
    return value.casefold().rstrip(".") if isinstance(value, str) else ""


def _as_known(row: Params) -> tuple[str, bool]:
    return str(row.get("Name", "")).casefold(), row.get("Type") != _PLAY


def _usable(known: frozenset[tuple[str, bool]], *, pushed: bool) -> frozenset[str]:
    return frozenset(name for name, push in known if name and (push or not pushed))


def _unknown(domain: str, usable: frozenset[str], account: str, *, pushed: bool) -> Denied | None:
    """Return that a domain is not the account's, with what may be meant."""
    if not usable:
        return None
    near = near_names(domain, sorted(usable))
    offered = near or tuple(sorted(usable)[:_SHOWN])
    if near:
        instead = f"Did you mean {' or '.join(map(apart, near))}?"
    else:
        more = f" and {len(usable) - _SHOWN} more" if len(usable) > _SHOWN else ""
        instead = f"It has {', '.join(map(apart, offered))}{more}."
    whose = "this account" if account == DEFAULT else f"the account {account}"
    reason = f"{apart(domain)} is no {'push ' * pushed}domain of {whose}. {instead}"
    return Denied("unknown_domain", reason, domains=offered)
