"""Connections to PostgreSQL that end where the server is silent; libpq waits for ever."""

import time
from collections.abc import Mapping
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.rows import TupleRow

T = TypeVar("T")

PARAMETERS: Mapping[str, str | int] = {
    "connect_timeout": 5,
    "options": "-c statement_timeout=10000",
    # Where the host or the network is gone no reset comes. By default the kernel notices after
    # two hours while it waits for an answer, and after 15 minutes while it sends.
    "keepalives": 1,
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""Parameters of libpq; a host that is gone is noticed within about 10 s."""

ANSWER_WITHIN = 12.0
"""Seconds in which a server says something about a statement: it ends each after 10 s itself."""

PING_WITHIN = 3.0
"""Seconds in which a connection that was not in use shows that it still is one."""


class SilenceError(psycopg.OperationalError):
    """The server has said nothing for too long; the connection is closed."""


class Connection(psycopg.Connection[TupleRow]):
    """A connection that closes itself where no answer comes.

    Something between here and the server may swallow what is sent and still acknowledge it, so
    that the kernel notices nothing.
    """

    def wait(self, gen: PQGen[T], *args: Any, **kwargs: Any) -> T:
        """Run an exchange with the server.

        Raises:
            SilenceError: It does not answer.
        """
        # SQLAlchemy's ping of a pooled connection, and nothing else here, is in this mode.
        within = PING_WITHIN if self.autocommit else ANSWER_WITHIN
        try:
            return super().wait(_answered(gen, within), *args, **kwargs)
        except SilenceError:
            self.close()
            raise


def _answered(exchange: PQGen[T], within: float) -> PQGen[T]:
    """Pass an exchange on to whoever waits for the socket, until that is silent for too long.

    The one who waits looks ten times a second, whether the socket is ready or not.
    """
    last = time.monotonic()
    try:
        wanted = next(exchange)
        while True:
            ready = yield wanted
            now = time.monotonic()
            if ready:
                last = now
            elif now - last > within:
                raise SilenceError(f"PostgreSQL has not answered for {within:.0f} s")
            wanted = exchange.send(ready)
    except StopIteration as done:
        answer: T = done.value
        return answer
