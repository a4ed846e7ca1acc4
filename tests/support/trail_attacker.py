"""Somebody who can write the database, and has a key of their own but not the bot's."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import sqlalchemy as sa

from bot.audit.checkpoints import CheckpointKind, Signer
from bot.audit.hash_chain import GENESIS, Fact, canonical, digest

ATTACKER = Signer(b"a" * 32)
Attack: TypeAlias = Callable[[sa.Connection], None]

_INSERT = sa.text("INSERT INTO trail VALUES (:seq, :at, :kind, :operation, :body, :hash)")
_SEAL = sa.text("INSERT INTO seals VALUES (:kind, :seq, :hash, :at, :key, :signature)")


def forged(count: int) -> list[Fact]:
    """Records that name the attacker's key, decide something and forgive all tampering."""
    return [
        Fact("key", "", {"key": ATTACKER.public, "format": 2}),
        Fact("exported", "", {"user": "U0BOB"}),
        Fact("acknowledged", "", {"records": list(range(1, count + 9))}),
        Fact("tampered", "", {"why": "nothing", "vouched": 0, "upto": count + 99}),
    ]


def append(connection: sa.Connection) -> None:
    """Add records after the last one."""
    last = _rows(connection)[-1]
    _insert(connection, forged(last["seq"]), last["seq"], last["hash"], last["at"])


def rewrite(connection: sa.Connection) -> None:
    """Make the whole chain anew, with somebody else in it."""
    rows = _rows(connection)
    _replace(connection, [row["body"].replace("U0ALICE", "U0MALLORY") for row in rows])
    append(connection)


def cut(connection: sa.Connection) -> None:
    """Remove the last three records."""
    connection.execute(sa.text("DELETE FROM trail WHERE seq > (SELECT max(seq) FROM trail) - 3"))


def cut_all(connection: sa.Connection) -> None:
    """Remove every record."""
    connection.execute(sa.text("DELETE FROM trail"))


def swap(connection: sa.Connection) -> None:
    """Exchange what two records say, and make the chain anew."""
    bodies = [row["body"] for row in _rows(connection)]
    bodies[3], bodies[4] = bodies[4], bodies[3]
    _replace(connection, bodies)


def swap_only(connection: sa.Connection) -> None:
    """Exchange two records as they are."""
    for seq, other in ((4, -1), (5, 4), (-1, 5)):
        connection.execute(
            sa.text("UPDATE trail SET seq = :other WHERE seq = :seq"), {"seq": seq, "other": other}
        )


def replay(old: Path) -> Attack:
    """Put an older, genuine state of the trail in the place of the present one."""

    def attack(connection: sa.Connection) -> None:
        connection.exec_driver_sql("DELETE FROM trail")
        connection.exec_driver_sql("DELETE FROM seals")
        engine = sa.create_engine(f"sqlite:///{old}")
        with engine.connect() as before:
            for table, insert in (("trail", _INSERT), ("seals", _SEAL)):
                for row in before.exec_driver_sql(f"SELECT * FROM {table}").mappings():  # noqa: S608 (two names)
                    connection.execute(insert, dict(row))
        engine.dispose()

    return attack


def kept(_connection: sa.Connection) -> None:
    """Leave the seals as they are."""


def own_end(connection: sa.Connection) -> None:
    """Sign the end with a key of one's own."""
    sign_end(connection, ATTACKER)


def sign_end(connection: sa.Connection, signer: Signer) -> None:
    """Sign the end with some key."""
    connection.execute(sa.text("DELETE FROM seals WHERE kind = 'head'"))
    rows = _rows(connection)
    if rows:
        seal = signer.sign(CheckpointKind.HEAD, rows[-1]["seq"], rows[-1]["hash"], rows[-1]["at"])
        names = ("seq", "hash", "at", "key", "signature")
        given = {name: getattr(seal, name) for name in names}
        connection.execute(_SEAL, {"kind": "head", **given})


def own_seals(connection: sa.Connection) -> None:
    """Leave no seal but one's own."""
    connection.execute(sa.text("DELETE FROM seals"))
    own_end(connection)


def no_end(connection: sa.Connection) -> None:
    """Remove the signed end."""
    connection.execute(sa.text("DELETE FROM seals WHERE kind = 'head'"))


def no_seals(connection: sa.Connection) -> None:
    """Remove every seal."""
    connection.execute(sa.text("DELETE FROM seals"))


def checkpoint_as_end(connection: sa.Connection) -> None:
    """Have the newest checkpoint stand for the end: it bears the same signature."""
    connection.execute(
        sa.text("DELETE FROM seals WHERE seq < (SELECT max(seq) FROM seals WHERE kind != 'head')")
    )
    checkpoints_as_ends(connection)


def checkpoints_as_ends(connection: sa.Connection) -> None:
    """Have every checkpoint stand for the end."""
    connection.execute(sa.text("DELETE FROM seals WHERE kind = 'head'"))
    connection.execute(sa.text("UPDATE seals SET kind = 'head' WHERE kind = 'checkpoint'"))
    connection.execute(
        sa.text("DELETE FROM trail WHERE seq > (SELECT max(seq) FROM seals WHERE kind = 'head')")
    )


SEALS: Sequence[Attack] = (
    kept,
    own_end,
    own_seals,
    no_end,
    no_seals,
    checkpoint_as_end,
    checkpoints_as_ends,
)


def _rows(connection: sa.Connection) -> list[Mapping[str, Any]]:
    found = connection.execute(sa.text("SELECT * FROM trail ORDER BY seq")).mappings()
    return [dict(row) for row in found]


def _replace(connection: sa.Connection, bodies: Sequence[str]) -> None:
    import json  # noqa: PLC0415 (here alone)

    rows = _rows(connection)
    connection.execute(sa.text("DELETE FROM trail"))
    last = GENESIS
    for row, said in zip(rows, bodies, strict=True):
        found = json.loads(said)
        fact = Fact(found["kind"], found["operation"], found["facts"])
        body = canonical(row["seq"], row["at"], fact)
        last = digest(last, body)
        given = {"kind": fact.kind, "operation": fact.operation, "body": body, "hash": last}
        connection.execute(_INSERT, {**row, **given})


def _insert(
    connection: sa.Connection, facts: Sequence[Fact], seq: int, last: str, at: float
) -> None:
    for fact in facts:
        seq += 1
        body = canonical(seq, at, fact)
        last = digest(last, body)
        given = {"kind": fact.kind, "operation": fact.operation, "body": body, "hash": last}
        connection.execute(_INSERT, {"seq": seq, "at": at, **given})
