"""A connection whose other end is gone without a reset is noticed by the kernel."""

import os
import socket
import sys

import pytest

from bot.storage import database
from tests.support.database_relay import over_tcp

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the options of Linux")


@pytest.mark.parametrize(
    ("level", "option", "value"),
    [
        (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
        (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 4),
        (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 2),
        (socket.IPPROTO_TCP, "TCP_KEEPCNT", 3),
        (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", 10_000),
    ],
)
def test_postgres_connection_notices_a_vanished_host(
    postgres_url: str, level: int, option: str, value: int
) -> None:
    """The socket is probed, and given up within about 10 s, whether it waits or sends."""
    with over_tcp(postgres_url) as url:
        engine = database.connect(url)
        with engine.connect() as connection:
            driver = connection.connection.dbapi_connection
            assert driver is not None
            with socket.socket(fileno=os.dup(driver.fileno())) as same:
                assert same.getsockopt(level, getattr(socket, option)) == value
        engine.dispose()
