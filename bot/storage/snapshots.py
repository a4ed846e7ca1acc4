"""The pictures that were taken before a stop: whose they are, and their records."""

from collections.abc import Mapping

import sqlalchemy as sa

from bot.audit.hash_chain import Fact
from bot.model.actions import Json
from bot.model.live_notices import Snapshot
from bot.storage.session import Session, write
from bot.storage.tables import live_notices, operations, trail
from bot.storage.writer import Transaction

PICTURE = "picture"
"""The kind of their records."""

BEFORE, AFTER = 10.0, 90.0
"""Seconds before and after the sending of a stop from which a picture is its evidence."""

MOST = 10
"""Pictures of one operation that are recorded."""

_SNAPSHOT = "snapshot"


class Snapshots:
    """Finds the operations that a picture belongs to, and records it once."""

    def __init__(self, session: Session) -> None:
        self.session = session

    async def wanted_by(self, snapshot: Snapshot) -> str:
        """Return the id of the newest operation that asked for a picture; empty if none did."""
        query = (
            sa.select(operations)
            .where(
                operations.c.target == snapshot.stream,
                operations.c.account == snapshot.account,
                operations.c.sent_at.between(snapshot.at - AFTER, snapshot.at + BEFORE),
            )
            .order_by(operations.c.sent_at.desc())
        )
        rows = await self.session.fetch(query)
        for one in self.session.quarantine.operations(rows):
            evidence = one.preview.evidence
            if evidence is None or evidence.kind != _SNAPSHOT or one.unsigned:
                continue
            if all(
                one.params.get(name) in (value, None) or not value
                for name, value in (("DomainName", snapshot.domain), ("AppName", snapshot.app))
            ):
                return one.id
        return ""

    async def is_known(self, snapshot: Snapshot, operation: str) -> bool:
        """Return whether a picture is recorded, or its operation has enough of them."""
        known = sa.select(live_notices.c.key).where(live_notices.c.key == snapshot.key)
        if await self.session.fetch(known):
            return True
        pictures = sa.select(sa.func.count()).where(
            trail.c.operation == operation, trail.c.kind == PICTURE
        )
        return int((await self.session.fetch(pictures))[0][0]) >= MOST

    @write
    def record(
        self, tx: Transaction, snapshot: Snapshot, operation: str, facts: Mapping[str, Json]
    ) -> bool:
        """Record a picture; False where another replica has done so."""
        row = {
            "key": snapshot.key,
            "account": snapshot.account,
            # It says nothing of the stream's push.
            "stream": "",
            "kind": _SNAPSHOT,
            "at": snapshot.at,
            "received_at": tx.now,
        }
        insert = self.session.insert(live_notices).values(row).on_conflict_do_nothing()
        if not tx.connection.execute(insert.returning(live_notices.c.key)).all():
            return False
        tx.facts.append(Fact(PICTURE, operation, dict(facts)))
        return True
