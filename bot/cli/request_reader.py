"""Collects an HTTP request until it is whole, so that half of one costs only its own bytes.

What is whole is passed on unchanged: here is only found where it ends.
"""

import re
from enum import Enum

HEAD_MOST = 32 * 1024
"""Bytes of a request line and its headers."""

BODY_MOST = 2 * 1024 * 1024
"""Bytes of a request's body."""

_LINE_MOST = 1024
"""Bytes of a line between two chunks of a body."""

_END = b"\r\n\r\n"

# The lines that tell how long the body is; the first line of a head is none.
_LENGTH = re.compile(
    rb"\r\n[ \t\x0b\f]*(?P<name>transfer-encoding|content-length)[ \t\x0b\f]*(?P<value>(?::.*?)?)"
    rb"(?=\r\n|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;|$)")


class Refused(Exception):  # noqa: N818 (it is what becomes of the request)
    """The request cannot be read on.

    Attributes:
        status: What HTTP calls it.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class _Part(Enum):
    HEAD = "head"
    BODY = "body"
    CHUNKS = "chunks"


class RequestReader:
    """Takes the bytes of one connection, and gives them back as whole requests."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._part = _Part.HEAD
        self._at = 0
        """Up to where the bytes are read; of a body with a length, where it ends."""
        self._body = 0
        """Where the body in chunks begins."""

    def __len__(self) -> int:
        """Return how many bytes are held."""
        return len(self._held)

    @property
    def in_body(self) -> bool:
        """Whether a head is whole and its body is not."""
        return self._part is not _Part.HEAD

    def feed(self, data: bytes | bytearray | memoryview) -> bytes:
        """Return the requests that are whole now, as they were sent; empty if none is.

        Raises:
            Refused: What was sent is too large, or no request.
        """
        self._held += data
        end = 0
        while end < len(self._held) and (found := self._request(end)) is not None:
            end = found
        if not end:
            return b""
        whole = bytes(self._held[:end])
        del self._held[:end]
        self._at -= end
        self._body -= end
        return whole

    def _request(self, start: int) -> int | None:
        """Return where the request that begins at `start` ends; None if it goes on."""
        if self._part is _Part.HEAD:
            self._read_head(start)
        if self._part is _Part.CHUNKS:
            end = self._last_chunk()
        else:
            whole = self._part is _Part.BODY and self._at <= len(self._held)
            end = self._at if whole else None
        if end is not None:
            self._part, self._at = _Part.HEAD, end
        return end

    def _read_head(self, start: int) -> None:
        # The end may lie across two packets.
        end = self._held.find(_END, max(start, self._at - len(_END)))
        if (len(self._held) if end < 0 else end) - start > HEAD_MOST:
            raise Refused(431, "the headers are too large")
        if end < 0:
            self._at = len(self._held)
            return
        length = _body_length(bytes(self._held[start:end]))
        self._at = end + len(_END)
        if length is None:
            self._part, self._body = _Part.CHUNKS, self._at
        else:
            self._part = _Part.BODY
            self._at += length

    def _last_chunk(self) -> int | None:
        """Return where a body in chunks ends, after its trailers; None if it goes on."""
        while (line_end := self._held.find(b"\r\n", self._at, self._at + _LINE_MOST)) >= 0:
            size = _chunk_size(bytes(self._held[self._at : line_end]))
            if size == 0:
                return self._trailers(line_end)
            following = line_end + 2 + size + 2
            if following - self._body > BODY_MOST:
                raise Refused(413, "the body is too large")
            if following > len(self._held):
                return None
            self._at = following
        if len(self._held) - self._at >= _LINE_MOST:
            raise Refused(400, "a chunk has no size")
        return None

    def _trailers(self, line_end: int) -> int | None:
        """Return where the trailers end: at an empty line, which may come at once."""
        end = self._held.find(_END, line_end, line_end + HEAD_MOST)
        if end < 0 and len(self._held) - line_end >= HEAD_MOST:
            raise Refused(431, "the trailers are too large")
        return None if end < 0 else end + len(_END)


def _body_length(head: bytes) -> int | None:
    """Return the bytes of the body that a head announces; None if it comes in chunks.

    Raises:
        Refused: It announces more than one length, or none that is a number.
    """
    found = _LENGTH.findall(head)
    if not found:
        return 0
    for name, _ in found:
        if name.lower() == b"transfer-encoding":
            return None
    stated = found[0][1][1:].strip()
    if len(found) > 1 or not stated.isdigit() or len(stated) > 12:  # noqa: PLR2004 (more is no size)
        raise Refused(400, "the length of the body is not one number")
    if (length := int(stated)) > BODY_MOST:
        raise Refused(413, "the body is too large")
    return length


def _chunk_size(line: bytes) -> int:
    # What follows a semicolon are extensions.
    found = _CHUNK.match(line)
    if found is None:
        raise Refused(400, "a chunk has no size")
    return int(found[1], 16)
