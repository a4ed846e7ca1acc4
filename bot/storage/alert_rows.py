"""Decodes rows of `alerts` into the model, and encodes the model into columns."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter

from bot.errors import TamperedRowError, UnreadableRowError
from bot.model.alerts import Alert, AlertItem, NamedStream
from bot.storage.quarantine import Quarantine
from bot.storage.row_macs import RowMacs, Standing
from bot.storage.tables import alerts
from bot.storage.writer import Transaction

_ITEMS = TypeAdapter(tuple[AlertItem, ...])
_STREAMS = TypeAdapter(tuple[NamedStream, ...])


def columns(alert: Alert, macs: RowMacs) -> dict[str, Any]:
    """Return the columns of an alert, with the code of its row."""
    found = {
        "id": alert.id,
        "source": alert.source,
        "group_key": alert.group,
        "channel": alert.channel,
        "title": alert.title,
        "summary": alert.summary,
        "severity": alert.severity,
        "link": alert.link,
        "members": json.dumps([asdict(one) for one in alert.items]),
        "streams": json.dumps([asdict(one) for one in alert.streams]),
        "opened_at": alert.opened_at,
        "seen_at": alert.seen_at,
        "resolved_at": alert.resolved_at,
        "card_channel": alert.card_channel,
        "card_ts": alert.card_ts,
        "seq": alert.seq,
    }
    return found | {"mac": macs.alert(found)}


def decode(row: sa.Row[Any], macs: RowMacs) -> Alert:
    """Decode a row, and mark it where its code does not match.

    Raises:
        UnreadableRowError: This release cannot decode it.
    """
    try:
        return Alert(
            id=row.id,
            source=row.source,
            group=row.group_key,
            channel=row.channel,
            opened_at=row.opened_at,
            seen_at=row.seen_at,
            title=row.title,
            summary=row.summary,
            severity=row.severity,
            link=row.link,
            items=_ITEMS.validate_json(row.members),
            streams=_STREAMS.validate_json(row.streams),
            resolved_at=row.resolved_at,
            card_channel=row.card_channel,
            card_ts=row.card_ts,
            seq=row.seq,
            unsigned=macs.of_alert(row) is not Standing.GENUINE,
        )
    except ValueError as error:
        why = f"its alert is malformed ({type(error).__name__})"
        raise UnreadableRowError(alerts.name, row.id, row.id, why) from error


def genuine(rows: Sequence[sa.Row[Any]], macs: RowMacs, quarantine: Quarantine) -> list[Alert]:
    """Return the alerts of rows, without those that somebody else wrote, which are reported."""
    found = list(quarantine.decode(lambda row: decode(row, macs), rows))
    for one in found:
        if one.unsigned:
            why = "its code does not match"
            quarantine.add(TamperedRowError(alerts.name, one.id, one.id, why))
    return [one for one in found if not one.unsigned]


def recode(tx: Transaction, theirs: RowMacs, ours: RowMacs) -> None:
    """Give the alerts that have the code of a key that of its successor."""
    for row in tx.connection.execute(sa.select(alerts)).all():
        if theirs.of_alert(row) is Standing.GENUINE:
            mac = columns(decode(row, theirs), ours)["mac"]
            tx.connection.execute(sa.update(alerts).where(alerts.c.id == row.id).values(mac=mac))
