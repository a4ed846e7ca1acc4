"""Push and play URLs taken apart: which host, path and stream they name, and never their keys."""

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote, urlsplit

_URL = re.compile(r"(?:rtmps?|srt|webrtc|https?)://\S+", re.IGNORECASE)
_ENDINGS = (".flv", ".m3u8", ".xs", ".sdp")


@dataclass(frozen=True, slots=True)
class Link:
    """A stream's address.

    Attributes:
        app: The path before the stream's name, e.g. `live`.
        side: Whether the host is for pushing or for playing; `unclear` where neither scheme
            nor host tells.
    """

    host: str
    app: str
    stream: str
    side: Literal["push", "play", "unclear"]


def looks_like_one(text: str) -> bool:
    """Say whether a text is meant as a URL."""
    return _URL.match(text) is not None


def read(url: str) -> Link:
    """Take a push or play URL apart; its query, where keys stand, is dropped.

    Raises:
        ValueError: It names no host, path and stream; the text says what is missing.
    """
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        raise ValueError("it is not a valid address") from None
    path = parts.path
    if parts.scheme.lower() == "srt" and "streamid" in parts.query:
        host, path = _srt(host, unquote(parts.query + "#" + parts.fragment))
    *app, stream = [unquote(part) for part in path.split("/") if part] or [""]
    for ending in _ENDINGS:
        stream = stream.removesuffix(ending)
    if not host:
        raise ValueError("it names no host")
    if not app or not stream:
        raise ValueError("its path must be /app/stream")
    return Link(host, "/".join(app), stream, _side(parts.scheme.lower(), host))


def _srt(host: str, text: str) -> tuple[str, str]:
    """Read `streamid=#!::h=push.example.com,r=live/stream1,txSecret=…`."""
    fields = dict(re.findall(r"(?:::|,)([hr])=([^,&]+)", text))
    return fields.get("h", host), fields.get("r", "")


def _side(scheme: str, host: str) -> Literal["push", "play", "unclear"]:
    if "push" in host:
        return "push"
    if scheme in ("http", "https") or any(word in host for word in ("play", "pull", "cdn")):
        return "play"
    return "unclear" if scheme == "webrtc" else "push"
