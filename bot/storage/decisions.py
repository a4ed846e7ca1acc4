"""Decisions on operations: stored when a button is pressed, settled once they had their effect."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from bot.audit.hash_chain import Fact
from bot.model.actions import Json
from bot.model.messages import EphemeralNotice
from bot.model.operations import Decision
from bot.redact import redact
from bot.storage import rows
from bot.storage.outbox import Outbox
from bot.storage.quarantine import without
from bot.storage.session import MOST, NOW, Session, write
from bot.storage.tables import UNSETTLED, decisions
from bot.storage.writer import Transaction


class Decisions:
    """Stores decisions, each key once."""

    def __init__(self, session: Session, outbox: Outbox) -> None:
        self.session = session
        self._outbox = outbox

    async def add(self, decision: Decision) -> Decision | None:
        """Store a decision; None if its key is stored already."""
        # Somebody waits for the ack.
        return await self.session.writer.do(self._add, decision, urgent=True)

    def _add(self, tx: Transaction, added: Sequence[Decision]) -> list[Decision | None]:
        return [self._add_one(tx, decision) for decision in added]

    def _add_one(self, tx: Transaction, decision: Decision) -> Decision | None:
        pressed = {
            "key": decision.key,
            "operation": decision.operation,
            "choice": decision.choice.value,
            "team": decision.actor.team,
            "actor": decision.actor.user,
            "place": json.dumps(asdict(decision.place)),
            "reason": decision.reason,
            "message_ts": decision.message_ts,
            "at": tx.now,
        }
        insert = (
            self.session.insert(decisions)
            .values(
                **pressed,
                mac=self.session.integrity.macs.decision(pressed),
                settled=False,
                owner=self.session.owner,
                lease_until=tx.now + self.session.lease,
            )
            .on_conflict_do_nothing(index_elements=[decisions.c.key])
            .returning(decisions.c.id)
        )
        id_ = tx.connection.execute(insert).scalar()
        return replace(decision, id=id_, at=tx.now) if id_ is not None else None

    @write
    def claim(self, tx: Transaction, limit: int = 50) -> list[Decision]:
        """Claim the decisions whose lease has lapsed before they were settled."""
        lapsed = _lapsed(self.session.quarantine.of(decisions.name))
        claimed = self.session.lease_rows(tx, decisions, lapsed, limit)
        claimed = self.session.integrity.decisions(tx, claimed)
        found = list(self.session.quarantine.decode(rows.decision, claimed))
        self.session.release_quarantined(tx, decisions)
        return found

    @write
    def settle(self, tx: Transaction, decision: Decision, words: str) -> None:
        """Note that a decision had its effect, and enqueue a notice to its maker.

        Args:
            words: The notice; empty for none.
        """
        tx.connection.execute(
            sa.update(decisions)
            .where(decisions.c.id == decision.id)
            .values(settled=True, owner="", lease_until=0.0)
        )
        if not words:
            return
        tx.facts.append(_refused(decision, words))
        if decision.place.channel or decision.place.reply_url:
            notice = EphemeralNotice(decision.actor, decision.place, words, decision.at)
            self._outbox.enqueue_notice(tx, f"word:{decision.id}", notice)


def _refused(decision: Decision, words: str) -> Fact:
    """Describe a decision that had no effect, or not the one that was meant."""
    facts: dict[str, Json] = {
        "decision": decision.choice.value,
        "by": decision.actor.user,
        "by_team": decision.actor.team,
        "channel": decision.place.channel,
        "press": decision.id,
        "detail": redact(words),
    }
    id_ = decision.operation
    return Fact("refused", id_, {name: value for name, value in facts.items() if value})


@lru_cache(8)
def _lapsed(quarantined: tuple[str | int, ...]) -> sa.Select[Any]:
    """Select the decisions whose lease has lapsed before they were settled."""
    return (
        sa.select(decisions.c.id)
        .where(UNSETTLED, decisions.c.lease_until < NOW, without(decisions, quarantined))
        .order_by(decisions.c.lease_until)
        .limit(MOST)
    )
