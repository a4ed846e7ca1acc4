"""Asks for evidence right before a stop leaves; the stop never waits longer than 2 s for it.

An evidence is a task of its own at Tencent Cloud. It is on the trail before the stop leaves; a
process that is killed in between has recorded no intent to stop, so another one goes on with it.
"""

import asyncio
import time
from collections.abc import Callable

import structlog

from bot.audit.hash_chain import Fact
from bot.errors import ApiError, CloudError, StoreError
from bot.model.actions import Json
from bot.model.commands import Command
from bot.model.operations import Evidence, Operation, State
from bot.model.ports import Cloud
from bot.operations.authorizer import Authorizer
from bot.operations.rate_limiter import RateLimiter
from bot.policy.evidence import action_for, evidence_of, task_for
from bot.policy.loader import LoadedPolicy
from bot.policy.schema import EvidenceSettings
from bot.redact import redact
from bot.storage.store import Store

log = structlog.get_logger("stopstream.engine")

WITHIN = 2.0
"""Seconds for which a stop waits for its evidence, with all that it takes."""

EVIDENCE = "evidence"
"""The kind of its record."""

_LONGEST = 200


class EvidenceTaker:
    """Takes what the policy wants before a stop.

    Args:
        policy: Returns the policy as it is now.
        clock: Epoch seconds.
    """

    def __init__(
        self,
        *,
        store: Store,
        cloud: Cloud,
        limiter: RateLimiter,
        authorizer: Authorizer,
        policy: Callable[[], LoadedPolicy],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._cloud = cloud
        self._limiter = limiter
        self._authorizer = authorizer
        self._policy = policy
        self._clock = clock

    def wanted(self, operation: Operation, command: Command) -> EvidenceSettings | None:
        """Return what is to be taken before this is sent; None for what was sent before."""
        if operation.attempts or operation.state is State.RUNNING:
            return None
        return evidence_of(self._policy().policy, command)

    async def take(
        self, operation: Operation, command: Command, wanted: EvidenceSettings
    ) -> Evidence:
        """Ask for evidence and record what came of it; no failure of it is raised."""
        try:
            async with asyncio.timeout(WITHIN):
                found = await self._ask(operation, command, wanted)
        except TimeoutError:
            found = Evidence(wanted.take, problem=f"no answer within {WITHIN:g} s")
        except StoreError as error:
            found = Evidence(wanted.take, problem=redact(str(error), _LONGEST))
        if found.problem:
            log.warning("no evidence", operation=operation.id, kind=found.kind, why=found.problem)
        return found

    async def _ask(
        self, operation: Operation, command: Command, wanted: EvidenceSettings
    ) -> Evidence:
        facts: dict[str, Json] = {"take": wanted.take}
        try:
            found = await self._send(command, wanted, facts)
        except CloudError as error:
            if isinstance(error, ApiError):
                facts |= {"code": error.code, "request_id": error.request_id}
            found = Evidence(wanted.take, problem=redact(str(error), _LONGEST).rstrip("."))
        told: dict[str, Json] = {"task": found.task, "problem": found.problem}
        facts |= {name: value for name, value in told.items() if value}
        await self._store.audit_log.record(Fact(EVIDENCE, operation.id, facts))
        return found

    async def _send(
        self, command: Command, wanted: EvidenceSettings, facts: dict[str, Json]
    ) -> Evidence:
        """Send the request; note in `facts` what was asked."""
        region = self._authorizer.region(action_for(wanted), command.account, command.region)
        task = None if region is None else task_for(wanted, command, region, self._clock())
        if task is None:
            why = "no region is configured for it" if region is None else "it names no domain"
            return Evidence(wanted.take, problem=why)
        facts |= {"api": task.action.api, "params": dict(task.params)}
        await self._limiter.acquire(task)
        answer = await self._cloud.call(task)
        facts["request_id"] = answer.request_id
        return Evidence(wanted.take, redact(str(answer.body.get("TaskId", "")), _LONGEST))
