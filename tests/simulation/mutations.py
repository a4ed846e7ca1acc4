"""Bots that are wrong on purpose: the simulation must find each of them."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, TypeAlias
from unittest import mock

import sqlalchemy as sa

from bot.operations.lease_guard import LeaseGuard
from bot.operations.message_lease import MessageLease
from bot.operations.outbox_relay import OutboxRelay
from bot.storage import outbox_lanes, outbox_statements
from bot.storage.outbox import Outbox
from bot.storage.outbox_message import OutboxMessage
from tests.chaos.broken import Patch, ack_unsaved
from tests.simulation.database import MemoryDatabase
from tests.simulation.run import run

"""Sets an attribute that is there."""

Mutation: TypeAlias = Callable[[Patch], None]
"""Makes the bots of this process wrong."""


def send_without_lease(patch: Patch) -> None:
    """Never ask whether the lease still stands when a request is about to leave."""
    patch(LeaseGuard, "is_fresh", lambda _guard: True)


def post_without_looking(patch: Patch) -> None:
    """Post what may have been posted, without looking for it."""
    send = OutboxRelay._send  # noqa: SLF001 (its only caller is what is replaced)

    async def send_anew(relay: OutboxRelay, message: OutboxMessage, lease: MessageLease) -> Any:
        return await send(relay, replace(message, uncertain=False), lease)

    patch(OutboxRelay, "_send", send_anew)


def post_another_ones(patch: Patch) -> None:
    """Post a message that another replica has claimed since."""
    mark = Outbox.mark_in_flight

    async def mark_all(one: Outbox, message: OutboxMessage) -> bool:
        await mark(one, message)
        return True

    patch(Outbox, "mark_in_flight", mark_all)


def post_in_any_order(patch: Patch) -> None:
    """Claim messages that are not the first of their destination."""
    patch(outbox_lanes, "is_first", lambda *_, **__: sa.true())
    # It keeps what it has built of that.
    patch(outbox_statements, "ready", outbox_statements.ready.__wrapped__)


def leave_what_stands_twice(patch: Patch) -> None:
    """Withdraw nothing of what another replica has posted as well."""

    def leave(*_given: object) -> None:
        """Do nothing."""

    patch(OutboxRelay, "_withdraw", leave)


MUTATIONS: tuple[Mutation, ...] = (
    send_without_lease,
    ack_unsaved,
    post_without_looking,
    post_another_ones,
    post_in_any_order,
    leave_what_stands_twice,
)


def found_at(mutation: Mutation, seeds: Iterable[int], database: MemoryDatabase) -> int | None:
    """Return the first seed whose run shows that a mutation is wrong; None if none does."""
    with ExitStack() as stack:

        def patch(owner: object, name: str, value: object) -> None:
            stack.enter_context(mock.patch.object(owner, name, value))

        mutation(patch)
        return next((seed for seed in seeds if run(seed, database).wrong), None)
