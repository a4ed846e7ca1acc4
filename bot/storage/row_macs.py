"""Message authentication codes of stored rows: without the audit key, nobody can make an order.

A code is `KEY.SEQ.MAC`: the beginning of the key's fingerprint, the row's `seq` when it was made,
and HMAC-SHA256 over the columns below, as JSON.
"""

import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import lru_cache
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from bot.audit.checkpoints import Signer, fingerprint
from bot.storage.tables import alerts, decisions, operations, outbox

OF_OPERATION = (
    "id",
    "key",
    "state",
    "team",
    "actor",
    "via",
    "channel",
    "thread_ts",
    "reply_url",
    "text",
    "api",
    "params",
    "region",
    "account",
    "rule",
    "approval",
    "detail",
    "asked_at",
    "expires_at",
    "decided_by",
    "decided_at",
    "sent_at",
    "ended_at",
    "attempts",
    "request_id",
    "code",
    "said",
    "result",
    "took",
    "consent",
    "reason",
    "emergency",
    "joined",
    "target",
    "case",
    "runbook",
    "live_before",
    "live_now",
)
"""The covered columns of `operations`: what is done, for whom, and who let it pass.

Others say when and where it is worked on (the lease, what is due), or what is shown of it later
(the card, what was seen after its ending). A column of a later release belongs into a list of its
own, with a form of its own, because a release beside it must be able to check the code.
"""

OF_DECISION = (
    "key",
    "operation",
    "choice",
    "team",
    "actor",
    "place",
    "reason",
    "message_ts",
    "at",
)
"""The covered columns of `decisions`."""

OF_MESSAGE = ("key", "operation", "owed", "text", "about", "place", "destination")
"""The covered columns of `outbox`: what is posted where.

Others say when it is tried, how often, and in which lane. A release without codes raises `wanted`
of rows that have one.
"""

OF_ALERT = (
    "id",
    "source",
    "group_key",
    "channel",
    "title",
    "summary",
    "severity",
    "link",
    "members",
    "streams",
    "opened_at",
    "seen_at",
    "resolved_at",
)
"""The covered columns of `alerts`: what a card says, and what its buttons mean.

Where the card is posted is checked against the trail; see `message_integrity`.
"""

_FLOATS = {
    table.name: [at for at, name in enumerate(names) if isinstance(table.c[name].type, sa.Double)]
    for table, names in (
        (operations, OF_OPERATION),
        (decisions, OF_DECISION),
        (outbox, OF_MESSAGE),
        (alerts, OF_ALERT),
    )
}
"""Where among its covered columns a table has floats."""
_DIGITS, _NAME, _PARTS = 32, 8, 3


class Standing(Enum):
    """What the code of a row says of it."""

    GENUINE = "genuine"
    UNSIGNED = "unsigned"
    """It has none."""
    OTHER_KEY = "other key"
    """It is of another key, which does not say that it would match under that."""
    ALTERED = "altered"


def key_name(public: str) -> str:
    """Return the name of a key in codes."""
    return fingerprint(public)[:_NAME]


class RowMacs:
    """Makes and checks the codes of rows.

    Args:
        signer: Has the key from which the key of the codes is derived; None makes none and
            takes every row as it is, for readers.
    """

    def __init__(self, signer: Signer | None) -> None:
        key = signer.derive("stopstream stored rows") if signer else None
        # With the key in it, it is copied for each code: OpenSSL takes longer to make a new one.
        self._keyed = hmac.new(key, digestmod="sha256") if key else None
        self._name = key_name(signer.public) if signer else ""

    @property
    def enabled(self) -> bool:
        """Whether rows are signed and checked."""
        return self._keyed is not None

    def operation(self, columns: Mapping[str, Any]) -> str:
        """Return the code of a row of `operations`."""
        return self._code(operations, _values(OF_OPERATION, columns), columns["seq"])

    def decision(self, columns: Mapping[str, Any]) -> str:
        """Return the code of a row of `decisions`."""
        return self._code(decisions, _values(OF_DECISION, columns), 0)

    def message(self, columns: Mapping[str, Any], last: int) -> str:
        """Return the code of a row of `outbox`; in place of a `seq` it has the `last` record."""
        return self._code(outbox, _values(OF_MESSAGE, columns), last)

    def of_message(self, row: sa.Row[Any]) -> Standing:
        """Return what the code of a row of `outbox` says."""
        return self._standing(outbox, OF_MESSAGE, row)

    def of_operation(self, row: sa.Row[Any]) -> Standing:
        """Return what the code of a row of `operations` says."""
        return self._standing(operations, OF_OPERATION, row)

    def alert(self, columns: Mapping[str, Any]) -> str:
        """Return the code of a row of `alerts`."""
        return self._code(alerts, _values(OF_ALERT, columns), columns["seq"])

    def of_alert(self, row: sa.Row[Any]) -> Standing:
        """Return what the code of a row of `alerts` says."""
        return self._standing(alerts, OF_ALERT, row)

    def is_genuine(self, row: sa.Row[Any]) -> bool:
        """Return whether the code of a row of `operations` matches."""
        return self.of_operation(row) is Standing.GENUINE

    def of_decision(self, row: sa.Row[Any]) -> Standing:
        """Return what the code of a row of `decisions` says."""
        return self._standing(decisions, OF_DECISION, row)

    def _standing(self, table: sa.Table, names: tuple[str, ...], row: sa.Row[Any]) -> Standing:
        if self._keyed is None:
            return Standing.GENUINE
        parts = _parts(row.mac)
        if parts is None:
            return Standing.ALTERED if row.mac else Standing.UNSIGNED
        name, seq = parts
        if name != self._name:
            return Standing.OTHER_KEY
        due = self._code(table, list(_covered(names, row._fields)(row)), seq)
        return Standing.GENUINE if hmac.compare_digest(due, row.mac) else Standing.ALTERED

    def _code(self, table: sa.Table, values: list[Any], seq: int) -> str:
        """Return the code of the values of a table's covered columns."""
        if self._keyed is None:
            return ""
        for at in _FLOATS[table.name]:
            # As it is read back: a whole number in a column of floats is a float.
            if values[at] is not None:
                values[at] = float(values[at])
        covered = [table.name, seq, *values]
        code = self._keyed.copy()
        code.update(json.dumps(covered).encode())
        return f"{self._name}.{seq}.{code.hexdigest()[:_DIGITS]}"


def _values(names: Sequence[str], columns: Mapping[str, Any]) -> list[Any]:
    return [columns[name] for name in names]


@lru_cache(64)
def _covered(names: tuple[str, ...], fields: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """Return what takes the covered columns out of a row with these fields."""
    return itemgetter(*map(fields.index, names))


def columns_of(row: sa.Row[Any]) -> dict[str, Any]:
    """Return the columns of a row by name; SQLAlchemy's own mapping takes much longer."""
    return dict(zip(row._fields, row, strict=True))


def _parts(mac: str) -> tuple[str, int] | None:
    """Return the name of the key and the `seq` of a code; None if it has no such form."""
    parts = mac.split(".")
    if len(parts) != _PARTS or len(parts[0]) != _NAME or not parts[1].isdecimal():
        return None
    return parts[0], int(parts[1])


def sealed_seq(mac: str) -> int | None:
    """Return the `seq` that a row had when its code was made."""
    parts = _parts(mac)
    return parts[1] if parts else None


def sealed_with(mac: str) -> str:
    """Return the name of the key of a code, or an empty text."""
    parts = _parts(mac)
    return parts[0] if parts else ""
