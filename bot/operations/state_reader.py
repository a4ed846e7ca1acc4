"""Reads the state of what a command is about, and what else it would affect."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial

import structlog

from bot.catalog import readings as sights
from bot.catalog.effects import resource_key
from bot.catalog.live import STREAM_KEY
from bot.catalog.near_names import near_names
from bot.catalog.registry import by_api, command_of, live_list
from bot.errors import CloudError, LapsedKeyError, StoreError
from bot.model.actions import Action, Params, Reading
from bot.model.commands import Command
from bot.model.live_notices import KeptList
from bot.model.off_air import OffAirEntry
from bot.model.operations import LastPush, Operation
from bot.model.people import Actor
from bot.model.ports import Cloud, always
from bot.off_loop import compare_names
from bot.operations.authorizer import Authorizer
from bot.operations.rate_limiter import RateLimiter
from bot.redact import redact
from bot.shared_answers import KEPT, SharedAnswers
from bot.storage.pushes import Pushes

log = structlog.get_logger("stopstream.engine")

LOOK = 2.0
"""Seconds that reading a state for a card may take."""

LIVE_NAMES_MOST = 5
"""How many live names are offered where nothing was live under the one that was given."""

_LIST_WHOLE = 10.0
"""Seconds that the read of a list may take; who asks for it may wait for less."""

_LONGEST_STATE = 80


def status_read(action: Action) -> Action | None:
    """Return the read that shows the state of what an action is about; None if there is none."""
    read = by_api(action.status_read) if action.status_read else None
    return read if read is not None and read.effect_spec.state_field is not None else None


class StateReader:
    """Reads from Tencent Cloud, under the same limits as everything that is sent.

    Args:
        pushes: What callbacks keep of what is live: while that is believed, it is not read.
        list_kept: Seconds for which a list of what is live is read once for all who ask.
        clock: Epoch seconds.
    """

    def __init__(
        self,
        *,
        cloud: Cloud,
        limiter: RateLimiter,
        authorizer: Authorizer,
        pushes: Pushes,
        list_kept: float = KEPT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._cloud = cloud
        self._pushes = pushes
        self._limiter = limiter
        self._authorizer = authorizer
        self._clock = clock
        self._list_kept = list_kept
        self._lists: dict[str, SharedAnswers[Params | None]] = {}
        """By account: many stops at once ask what is live on it."""

    async def read_state(
        self,
        command: Command,
        patience: float | None = None,
        may_leave: Callable[[], bool] = always,
    ) -> str | None:
        """Return the state of what a command is about; None without a read or an answer in time.

        Args:
            patience: Seconds that the answer may take; None for LOOK.
            may_leave: Whether the read is still wanted, asked when its turn has come.
        """
        read = status_read(command.action)
        if read is None:
            return None
        body = await self.read(command, read, patience, may_leave)
        if body is None:
            return None
        return redact(read.effect_spec.read_state(body), _LONGEST_STATE) or None

    async def refresh(self, entry: OffAirEntry) -> OffAirEntry:
        """Return an entry with its state as it is now."""
        command = command_of(entry.operation)
        return replace(entry, state=await self.read_state(command) or "") if command else entry

    def status_command(self, operation: Operation) -> Command | None:
        """Return the read of the state of what an operation was about; None if there is none."""
        command = command_of(operation)
        read = status_read(command.action) if command else None
        return self._command_of(command, read) if command and read else None

    async def preview(
        self, command: Command, hidden: Collection[str] = (), known: str | None = None
    ) -> tuple[str | None, tuple[Reading, ...]]:
        """Return the state of what a command would affect, and what else can be read of it.

        Args:
            hidden: Names of reads that are not made.
            known: The state, where it was read just now.
        """
        status = status_read(command.action)
        shows = status is not None and status.api not in hidden
        reads = [by_api(api) for api in command.action.impact_reads if api not in hidden]
        state, bodies = await asyncio.gather(
            self.read_state(command) if shows and known is None else _as_it_is(known),
            asyncio.gather(*(self.read(command, read) for read in reads)),
        )
        found = [sights.unread()] if shows and state is None else []
        if status is None and not command.action.impact_reads and not command.action.product.local:
            found.append(sights.unreadable())
        for read, body in zip(reads, bodies, strict=True):
            given = sights.narrowing_params(command, read)
            found += sights.describe(read, given, body, self._clock())
        return state, tuple(found)

    async def hidden_reads(self, operation: Operation, command: Command) -> tuple[str, ...]:
        """Return the names of the reads that a request leaves out: its author may not make them.

        Those who decide over it are shown them in private, as far as they may make them.
        """
        if not operation.origin.request_of:
            return ()
        return await self.reads_hidden_from(operation.actor, operation, command)

    async def reads_hidden_from(
        self, actor: Actor, operation: Operation, command: Command
    ) -> tuple[str, ...]:
        """Return the names of the reads of what an operation affects that somebody may not make."""
        status = status_read(command.action)
        apis = dict.fromkeys([*([status.api] if status else []), *command.action.impact_reads])
        reads = {api: self._command_of(command, by_api(api)) for api in apis}
        return tuple(
            [
                api
                for api, read in reads.items()
                if read is not None and not await self._authorizer.may_read(actor, operation, read)
            ]
        )

    async def read(
        self,
        command: Command,
        read: Action,
        patience: float | None = None,
        may_leave: Callable[[], bool] = always,
    ) -> Params | None:
        """Return what a read answers about the target of a command; None without an answer.

        Args:
            patience: Seconds that the answer may take; None for LOOK.
            may_leave: See `read_state`.
        """
        asked = self._command_of(command, read)
        if asked is None:
            log.warning("its state is not known", api=read.api, why="no region is configured")
            return None
        return await self.send(asked, patience, may_leave)

    async def send(
        self,
        asked: Command,
        patience: float | None = None,
        may_leave: Callable[[], bool] = always,
    ) -> Params | None:
        """Return what a read answers; None without an answer. See `read`."""
        return await _in_time(asked, self._answer(asked, may_leave), patience)

    async def _answer(
        self, asked: Command, may_leave: Callable[[], bool] = always
    ) -> Params | None:
        """Send a read, and once more where its key had lapsed; None where it is not wanted."""
        await self._limiter.acquire(asked)
        if not may_leave():
            return None
        try:
            return (await self._cloud.call(asked)).body
        except LapsedKeyError:
            if not may_leave():
                raise
            return (await self._cloud.call(asked)).body

    async def live_names(
        self, command: Command, patience: float | None = None
    ) -> tuple[Params, ...]:
        """Return the keys of what is live beside a command's target, the likeliest first.

        Those on the same domain and path come before the account's others, similar names first.
        """
        places = await self.live_rows(command, patience)
        found = partial(_likeliest, command.target, command.params, places)
        return tuple(await compare_names(sum(map(len, places)), found))

    async def live_rows(
        self, command: Command, patience: float | None = None
    ) -> list[list[Params]]:
        """Return the keys of what is live on a target's domain and path, and of all that is."""
        read, spec = live_list(command.action), command.action.effect_spec
        if read is None:
            return []
        place = {key: value for key, value in command.params.items() if key != spec.key[0]}
        if spec.key == STREAM_KEY and (kept := await self.kept_list(command.account)).is_believed:
            rows: list[Params] = [dict(zip(STREAM_KEY, key, strict=True)) for key in kept.streams]
            here = [
                row for row in rows if all(row[name] == place.get(name) for name in spec.key[1:])
            ]
            return [here, rows]
        asked = (self._command_of(replace(command, params=of), read) for of in (place, {}))
        bodies = await asyncio.gather(
            *(self._list(_longest_page(one), patience) for one in asked if one is not None)
        )
        # A list may leave out what it was narrowed to.
        return [
            [
                {name: row.get(name) or command.params.get(name) for name in spec.key}
                for row in _listed(read, body)
            ]
            for body in bodies
        ]

    async def _list(self, asked: Command, patience: float | None) -> Params | None:
        """Return what a list answers, which may be asked for already; None without an answer."""

        async def ask() -> Params | None:
            async with asyncio.timeout(_LIST_WHOLE):
                return await self._answer(asked)

        lists = self._lists.setdefault(asked.account, SharedAnswers(self._list_kept))
        question = asked.action.api, asked.region, json.dumps(dict(asked.params), sort_keys=True)
        return await _in_time(asked, lists.get(question, ask), patience)

    def forget_lists(self, account: str) -> None:
        """Have what is live on an account read anew by the next who asks: it has changed."""
        self._lists.pop(account, None)

    async def last_push(self, command: Command) -> LastPush | None:
        """Return what a callback said last of the stream whose state a command reads."""
        spec = command.action.effect_spec
        key = resource_key(command.action, command.params)
        if spec.key != STREAM_KEY or spec.state_field is None or key is None:
            return None
        try:
            return await self._pushes.last(command.account, key)
        except StoreError as error:
            log.warning("what callbacks told is not known", why=str(error))
            return None

    async def kept_list(self, account: str) -> KeptList:
        """Return what callbacks keep of what is live on an account; nothing without a store."""
        try:
            return await self._pushes.kept(account)
        except StoreError as error:
            log.warning("what callbacks told is not known", account=account, why=str(error))
            return KeptList({})

    def _command_of(self, command: Command, read: Action) -> Command | None:
        """Return a read of the target of a command; None where no region is known for it."""
        region = self._authorizer.region(read, command.account, command.region)
        given = sights.narrowing_params(command, read)
        params = sights.complete_params(read, given, self._clock())
        return None if region is None else Command(read, params, region, command.account)


async def _in_time(
    asked: Command, answer: Awaitable[Params | None], patience: float | None
) -> Params | None:
    """Wait so long for an answer; None where there is none."""
    try:
        async with asyncio.timeout(LOOK if patience is None else patience):
            return await answer
    except (CloudError, StoreError, TimeoutError) as error:
        log.warning("its state is not known", api=asked.action.api, why=str(error))
        return None


async def _as_it_is(state: str | None) -> str | None:
    return state


def _listed(read: Action, body: Params | None) -> list[Params]:
    """Return the rows of the lists in an answer."""
    lists = [(body or {}).get(field) for field in read.effect_spec.lists]
    rows = [row for found in lists if isinstance(found, list) for row in found]
    return [row for row in rows if isinstance(row, dict)]


def _longest_page(asked: Command) -> Command:
    """Return a read of a list with as many rows on its page as both sites allow."""
    size = asked.action.param("PageSize")
    if size is None or size.type.bounds is None:
        return asked
    return replace(asked, params={**asked.params, size.api: int(size.type.bounds[1])})


def _likeliest(target: str, params: Params, places: Iterable[list[Params]]) -> list[Params]:
    """Return the keys of listed resources: place by place, in each the similar names first."""
    found: list[Params] = []
    for rows in places:
        others = [one for one in rows if any(one[name] != params.get(name) for name in one)]
        near = near_names(target, map(_name_of, others))
        for one in sorted(others, key=lambda one: _rank(_name_of(one), near)):
            if len(found) == LIVE_NAMES_MOST:
                return found
            if one not in found:
                found.append(one)
    return found


def _rank(name: str, near: Sequence[str]) -> int:
    return near.index(name) if name in near else len(near)


def _name_of(key: Params) -> str:
    return str(next(iter(key.values())))
