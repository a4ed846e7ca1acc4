"""The tables `pushes` and `live_lists`: what is live, by what callbacks tell between two reads.

A callback is a hint. Each read of all that is live corrects the list; where it finds what no
callback has told, callbacks alone are not believed for a while.
"""

import json
from collections.abc import Collection

import sqlalchemy as sa

from bot.model.live_notices import KeptList, LiveNotice, NoticeKind, StreamKey
from bot.model.operations import LastPush
from bot.storage.prepared import Prepared
from bot.storage.session import Session, write
from bot.storage.tables import live_lists, pushes
from bot.storage.writer import Transaction

BELIEVED_FOR = 300.0
"""Seconds after a read of all that is live for which callbacks keep the list."""

DOUBTED_FOR = 600.0
"""Seconds after a read that found what no callback had told, in which every list is read."""

SETTLING = 10.0
"""Seconds in which a callback may come later or earlier than Tencent Cloud lists its stream."""

MOST = 2000
"""Streams of an account that are kept; where there are more, every list is read."""

_KEPT_FOR = 3600.0
"""Seconds for which the end of a push is known."""

_BEGAN = NoticeKind.BEGAN.value


class Pushes:
    """Keeps what is live on each account."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def note(self, tx: Transaction, notice: LiveNotice) -> None:
        """Store what a new notice says, unless a later one has come before it."""
        here = pushes.c.account == notice.account
        one = here, pushes.c.key == notice.resource_key
        said = {"kind": notice.kind.value, "at": notice.at, "heard_at": tx.now}
        if tx.connection.execute(sa.select(pushes.c.key).where(*one)).first() is not None:
            # Times are whole seconds: what ends and begins in the same one has come back.
            began = notice.kind is NoticeKind.BEGAN
            later = pushes.c.at <= notice.at if began else pushes.c.at < notice.at
            tx.connection.execute(sa.update(pushes).where(*one, later).values(said))
            return
        old = pushes.c.kind != _BEGAN, pushes.c.heard_at < tx.now - _KEPT_FOR
        tx.connection.execute(sa.delete(pushes).where(here, *old))
        count = sa.select(sa.func.count()).select_from(pushes).where(here)
        if tx.connection.execute(count).scalar_one() >= MOST:
            self._note_read(tx, notice.account, {"missed_at": tx.now})
            return
        row = {"account": notice.account, "key": notice.resource_key, **said}
        tx.connection.execute(self.session.insert(pushes).values(row).on_conflict_do_nothing())

    @write
    def correct(
        self, tx: Transaction, account: str, listed: Collection[StreamKey], took: float
    ) -> None:
        """Correct what is kept by all that is live on an account, as it was read.

        Args:
            took: Seconds since the read was begun.
        """
        if len(listed) > MOST:
            self._note_read(tx, account, {"missed_at": tx.now})
            return
        rows = tx.connection.execute(sa.select(pushes).where(pushes.c.account == account)).all()
        recent = {row.key for row in rows if row.heard_at >= tx.now - took - SETTLING}
        kept = {row.key for row in rows if row.kind == _BEGAN} - recent
        found = {json.dumps(key) for key in listed} - recent
        self._replace(tx, account, gone=kept - found, new=found - kept)
        before = sa.select(live_lists.c.read_at).where(live_lists.c.account == account)
        is_first = tx.connection.execute(before).first() is None
        missed = found != kept and not is_first
        read = {"read_at": tx.now} | ({"missed_at": tx.now} if missed else {})
        self._note_read(tx, account, read)

    def _replace(
        self, tx: Transaction, account: str, *, gone: Collection[str], new: Collection[str]
    ) -> None:
        """Remove some keys and add others, each in one go: an ack may wait meanwhile."""
        unheard = {"kind": _BEGAN, "at": 0.0, "heard_at": 0.0}
        if new:
            added = [{"account": account, "key": key, **unheard} for key in new]
            insert = self.session.insert(pushes)
            again = insert.on_conflict_do_update(index_elements=["account", "key"], set_=unheard)
            tx.connection.execute(again, added)
        if gone:
            one = pushes.c.account == account, pushes.c.key == sa.bindparam("gone")
            tx.connection.execute(sa.delete(pushes).where(*one), [{"gone": key} for key in gone])

    async def kept(self, account: str) -> KeptList:
        """Return what is live on an account by what is kept."""
        return await self.session.read(lambda connection: self._kept(connection, account))

    def _kept(self, connection: sa.Connection, account: str) -> KeptList:
        found = _OF_ACCOUNT.all(connection, {"is_account": account})
        live = [row for row in found if row.kind == _BEGAN]
        if not any(row.heard_at for row in found):
            # An account whose callbacks never came has a list that nothing keeps.
            return KeptList({_stream(row.key): None for row in live})
        now = self.session.read_clock(connection)
        ages = {_stream(row.key): now - row.heard_at if row.heard_at else None for row in live}
        sound = {
            "is_account": account,
            "read_since": now - BELIEVED_FOR,
            "sound_since": now - DOUBTED_FOR,
        }
        return KeptList(ages, _SOUND.first(connection, sound) is not None)

    async def last(self, account: str, key: str) -> LastPush | None:
        """Return what a callback said last of a stream; None if none has."""
        given = {"is_account": account, "is_key": key}
        row = await self.session.read(lambda connection: _HEARD.first(connection, given))
        return LastPush(row.kind == _BEGAN, row.at) if row is not None else None

    def _note_read(self, tx: Transaction, account: str, values: dict[str, float]) -> None:
        insert = self.session.insert(live_lists).values(account=account, **values)
        tx.connection.execute(insert.on_conflict_do_update(index_elements=["account"], set_=values))


def _stream(key: str) -> StreamKey:
    stream, domain, app = json.loads(key)
    return stream, domain, app


_OF_ACCOUNT = Prepared(sa.select(pushes).where(pushes.c.account == sa.bindparam("is_account")))
_HEARD = Prepared(
    sa.select(pushes).where(
        pushes.c.account == sa.bindparam("is_account"),
        pushes.c.key == sa.bindparam("is_key"),
        pushes.c.heard_at > 0,
    )
)
_SOUND = Prepared(
    sa.select(live_lists.c.account).where(
        live_lists.c.account == sa.bindparam("is_account"),
        live_lists.c.read_at > sa.bindparam("read_since", type_=sa.Double),
        live_lists.c.missed_at < sa.bindparam("sound_since", type_=sa.Double),
    )
)
