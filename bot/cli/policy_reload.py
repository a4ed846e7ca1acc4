"""Loads the policy file again when it changes, and records that it did."""

import asyncio
import time
from typing import Literal

import structlog

from bot.errors import ConfigError, StoreError
from bot.metrics import Metrics
from bot.model.actions import DEFAULT, Json
from bot.policy.difference import difference
from bot.policy.loader import LoadedPolicy
from bot.policy.lockout import lockout
from bot.policy.schema import Policy
from bot.policy.watched_file import WatchedFile
from bot.storage.store import Store

log = structlog.get_logger("stopstream")

_PROBLEMS_MOST = 20
"""Problems of a broken file that are recorded."""


def warn_of_lockout(policy: Policy) -> None:
    """Log it where nobody may do anything under a policy."""
    if why := lockout(policy):
        log.warning("nobody may do anything under the policy in force", why=why)


class PolicyReloader:
    """Keeps the policy and what depends on it up to date.

    Args:
        file: Its value is what the bot decides by.
    """

    def __init__(self, file: WatchedFile[LoadedPolicy], store: Store, metrics: Metrics) -> None:
        self._file = file
        self._store = store
        self._metrics = metrics
        self._own_account = DEFAULT

    async def check(self) -> None:
        """Load the file if its content is new; a broken one leaves the policy as it is."""
        before = self._file.value.policy
        try:
            # Reading a large file takes seconds, and nobody waits for it.
            if await asyncio.to_thread(self._file.refresh):
                self._note("loaded")
                after = self._file.value.policy
                log.info("policy loaded", policy=self._file.digest[:12])
                warn_of_lockout(after)
                await self._announce_loaded(difference(before, after), lockout(after))
                await self.adopt_account()
        except ConfigError as error:
            self._note("broken")
            log.error("the policy file is broken; the old one stays", problems=error.problems)
            await self._announce_broken(error)
        except StoreError as error:
            log.error("the new policy is not on the trail", why=str(error))

    def _note(self, result: Literal["loaded", "broken"]) -> None:
        self._metrics.policy_loads.labels(result).inc()
        self._metrics.policy_current.set(result == "loaded")

    async def adopt_account(self) -> None:
        """Keep what is off and held where the policy names the bot's own account anew."""
        loaded, before = self._file.value, self._own_account
        self._own_account = loaded.bots_own or before
        for name in {DEFAULT, before} - set(loaded.policy.account_names):
            if loaded.bots_own:
                await self._store.off_air.adopt_account(name, loaded.bots_own)

    async def _announce_loaded(self, changes: str, locked_out: str) -> None:
        warning = f" ⚠️ Nobody may do anything now: {locked_out}." if locked_out else ""
        await self._store.outbox.announce(
            self._key(),
            f"New policy in force: {changes}.{warning} {self._file.path.name}, sha256 "
            f"{self._file.digest[:12]}.",
            {"policy": self._file.digest},
            "policy loaded",
        )

    def _key(self) -> str:
        return f"policy:{self._store.session.owner}:{time.time_ns()}"

    async def _announce_broken(self, error: ConfigError) -> None:
        more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
        text = f"The policy file is broken, so the old one stays: {error.problems[0]}{more}"
        problems: list[Json] = list(error.problems[:_PROBLEMS_MOST])
        try:
            await self._store.outbox.announce(
                self._key(),
                text,
                {"problems": problems},
                "policy broken",
            )
        except StoreError as trouble:
            log.error("the broken policy is not on the trail", why=str(trouble))
