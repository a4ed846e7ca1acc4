"""Requests that come in pieces are passed on whole and unchanged, or refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.cli.request_reader import BODY_MOST, HEAD_MOST, Refused, RequestReader

PLAIN = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
SIZED = b"POST /s HTTP/1.1\r\ncontent-LENGTH : 9\r\n\r\nab\r\n\r\ncde"
CHUNKED = (
    b"POST /s HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5;x=y\r\n0\r\n\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n"
)
TRAILED = CHUNKED[:-2] + b"Digest: 1\r\nMore: 2\r\n\r\n"


@settings(max_examples=60, deadline=None)
@given(
    requests=st.lists(st.sampled_from([PLAIN, SIZED, CHUNKED, TRAILED]), min_size=1, max_size=4),
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=12),
)
def test_reader_passes_on_whole_requests_however_they_are_cut(
    requests: list[bytes], cuts: list[int]
) -> None:
    """What comes out are whole requests, each once its last byte is there, byte for byte."""
    reader, sent, at, out = RequestReader(), b"".join(requests), 0, b""
    ends = {len(b"".join(requests[:count])) for count in range(len(requests) + 1)}
    for turn in range(len(sent)):
        piece = sent[at : at + cuts[turn % len(cuts)]]
        at += len(piece)
        out += reader.feed(piece)
        assert len(out) == max(end for end in ends if end <= at)
        assert len(out) + len(reader) == at
    assert out == sent
    assert not reader.in_body


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"x" * (HEAD_MOST + 1), 431),
        (b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (BODY_MOST + 1), 413),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 4301 + b"\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 1024, 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n00FFFFFF\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"x" * HEAD_MOST, 431),
    ],
)
def test_reader_refuses_what_has_no_end(sent: bytes, status: int) -> None:
    """A request that is too large, or does not say where it ends, is refused at once."""
    with pytest.raises(Refused) as refused:
        RequestReader().feed(sent)
    assert refused.value.status == status
