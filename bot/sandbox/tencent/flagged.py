"""What the emulated cloud says of pictures that it has flagged or taken, and the picture."""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

PATH = "/flagged/picture.png"

EVENT, SNAPSHOT = 317, 200

_WIDTH, _HEIGHT = 64, 36
_COLOURS = (b"\xc8\xc8\xc8", b"\xc9\xc0\x2a", b"\x2b\xbd\xbd", b"\x2c\xb5\x4a", b"\xc2\x3a\x3a")


@dataclass(frozen=True, slots=True)
class Flag:
    """A picture that was flagged.

    Attributes:
        score: From 0 to 100.
    """

    label: str = "Sexy"
    score: int = 92
    suggestion: str = "Review"


def notice(key: Sequence[str], flag: Flag, *, url: str, at: float) -> dict[str, object]:
    """Return what a notice about a stream's picture says, without its signature."""
    stream, domain, app = key
    return {
        "event_type": EVENT,
        "appid": 1250000000,
        "app": domain,
        "appname": app,
        "streamId": stream,
        "channelId": stream,
        "img": f"{url}{PATH}",
        "type": [1],
        "score": [flag.score],
        "label": flag.label,
        "subLabel": "",
        "suggestion": flag.suggestion,
        "ocrMsg": "",
        "sendTime": int(at),
    }


def snapshot_notice(key: Sequence[str], *, url: str, at: float) -> dict[str, object]:
    """Return what a notice that a picture of a stream is stored says, without its signature."""
    stream, domain, app = key
    return {
        "event_type": SNAPSHOT,
        "app": domain,
        "appname": app,
        "stream_id": stream,
        "channel_id": stream,
        "create_time": int(at),
        "file_size": len(picture()),
        "width": _WIDTH,
        "height": _HEIGHT,
        "pic_url": PATH,
        "pic_full_url": f"{url}{PATH}?at={int(at * 1000)}",
    }


async def serve_picture(_request: web.Request) -> web.Response:
    """Answer with the picture."""
    return web.Response(body=picture(), content_type="image/png")


def picture() -> bytes:
    """Return a PNG of coloured bars."""
    bar = _WIDTH // len(_COLOURS) + 1
    row = b"\0" + b"".join(_COLOURS[at // bar] for at in range(_WIDTH))
    head = struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(row * _HEIGHT)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_part(*one) for one in parts)


def _part(name: bytes, data: bytes) -> bytes:
    whole = name + data
    return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))
