"""The statements of the outbox, which run with every message."""

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import sqlalchemy as sa

from bot.storage import outbox_lanes as lanes
from bot.storage.prepared import Prepared, in_any
from bot.storage.row_macs import OF_MESSAGE
from bot.storage.session import MOST, NOW
from bot.storage.tables import alerts, operations, outbox

_INSERTED = [column.name for column in outbox.c if column.name not in ("id", "aside")]
_IS_ROW = outbox.c.id == sa.bindparam("is_id")
_IS_MINE = outbox.c.owner == sa.bindparam("is_owner")
IN_FLIGHT = Prepared(
    sa.update(outbox)
    .where(_IS_ROW, _IS_MINE)
    .values(
        attempts=outbox.c.attempts + 1,
        uncertain=True,
        lease_until=sa.bindparam("new_until"),
    )
)
_SEQ_NOW = sa.func.coalesce(
    *(
        sa.select(table.c.seq).where(table.c.id == sa.bindparam("is_about")).scalar_subquery()
        for table in (operations, alerts)
    )
)
# Nobody can have wanted what the operation or alert has not become yet.
_IS_CURRENT = sa.or_(outbox.c.wanted <= sa.bindparam("is_seq"), outbox.c.wanted > _SEQ_NOW)
DELIVERED = Prepared(sa.delete(outbox).where(_IS_ROW, _IS_CURRENT, _IS_MINE))
DELIVERED_BY_ANOTHER = Prepared(sa.delete(outbox).where(_IS_ROW, _IS_CURRENT))
"""What has been delivered needs nobody who has claimed it since."""

SHOWN = Prepared(
    sa.update(outbox)
    .where(_IS_ROW, outbox.c.aside == lanes.ALERTS)
    .values(aside=lanes.ALERT_EDITS, enqueued_at=sa.bindparam("is_now"))
)
"""What is left of an alert once its card is posted is an edit."""

PASSED = Prepared(sa.update(outbox).where(_IS_ROW, outbox.c.aside == "").values(aside=lanes.EDITS))
"""What is said in a channel does not wait for the edit of a card."""

POSTPONED = Prepared(
    sa.update(outbox)
    .where(_IS_ROW, _IS_MINE)
    .values(
        next_at=sa.bindparam("new_next_at"),
        uncertain=sa.bindparam("new_uncertain"),
        owner="",
        lease_until=0.0,
    )
)
WAITING = Prepared(
    sa.select(outbox.c.id).where(outbox.c.next_at <= NOW, outbox.c.lease_until <= NOW).limit(1)
)
"""Nothing is to be claimed where this finds nothing."""


_PLACES = "was_ts", "new_ts"


@cache
def card(table: sa.Table) -> Prepared:
    """Return what notes where a card stands, unless it is noted that it stands elsewhere now."""
    is_there = table.c.card_ts.in_([sa.bindparam(name, type_=sa.Text) for name in _PLACES])
    return Prepared(
        sa.update(table)
        .where(table.c.id == sa.bindparam("is_id"), is_there)
        .values(card_channel=sa.bindparam("new_channel"), card_ts=sa.bindparam("new_ts"))
    )


@cache
def card_of(table: sa.Table) -> Prepared:
    """Return what reads where the card of an operation or alert stands."""
    return Prepared(sa.select(table.c.card_ts).where(table.c.id == sa.bindparam("is_id")))


@lru_cache(8)
def ready(quarantined: tuple[int | str, ...], *, coded: bool) -> sa.Select[Any]:
    """Select the first message of each destination that may be tried now."""
    return (
        sa.select(outbox.c.id)
        .where(
            lanes.is_first(quarantined, coded=coded),
            outbox.c.next_at <= NOW,
            outbox.c.lease_until <= NOW,
            sa.not_(lanes.gives_way(NOW)),
        )
        .order_by(outbox.c.id)
        .limit(MOST)
    )


@cache
def about(count: int) -> Prepared:
    """Return what selects that many operations."""
    return Prepared(sa.select(operations).where(in_any(operations.c.id, count)))


@cache
def upsert(insert: Callable[[sa.Table], Any]) -> Prepared:
    """Return what enqueues a message, in place of one that has its key."""
    inserted = insert(outbox).values(aside=lanes.JOINED)
    # All that the code covers: somebody else may have taken the key.
    replaced = {name: inserted.excluded[name] for name in (*OF_MESSAGE, "wanted", "mac")}
    return Prepared(
        inserted.on_conflict_do_update(index_elements=[outbox.c.key], set_=replaced),
        columns=_INSERTED,
    )
