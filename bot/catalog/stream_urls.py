"""Push and play URLs taken apart: which host, path and stream they name, and never their keys."""

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import SplitResult, unquote, urlsplit

Side: TypeAlias = Literal["push", "play", "unclear"]

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_SCHEMES = ("rtmp", "rtmps", "srt", "webrtc", "http", "https")
_WEB = ("http", "https")
_ENDINGS = (".flv", ".m3u8", ".xs", ".sdp")
# What HLS calls the list of a stream that has a folder of its own: `/live/s1/playlist.m3u8`.
_LISTS = ("playlist.m3u8", "index.m3u8", "chunklist.m3u8", "master.m3u8")
_PLAY = ("play", "pull", "cdn")
_HOST = re.compile(r"(?:[a-z0-9-]+\.)+[a-z][a-z0-9-]+\.?(?::[0-9]+)?", re.IGNORECASE)
# Percent-encoded or not, what follows these in a path is a query: keys stand there.
_QUERY = re.compile(r"[?&]")
# `#!::h=push.example.com,r=live/stream1,txSecret=…`
_SRT_FIELD = re.compile(r"(?:::|,)([hr])=([^,&]+)")


@dataclass(frozen=True, slots=True)
class StreamUrl:
    """A stream's address.

    Attributes:
        host: In small letters, without port.
        app: The path before the stream's name, e.g. `live`; it may have several segments.
        side: Whether the host is for pushing or for playing; `unclear` where neither scheme
            nor host tells.
    """

    host: str
    app: str
    stream: str
    side: Side


def looks_like_url(text: str) -> bool:
    """Say whether a text is meant as an address, readable or not."""
    return _ADDRESS.match(text) is not None


def with_scheme(text: str) -> str:
    """Give a text with the scheme that an address lacks; any other text as it is."""
    return f"rtmp://{text}" if lacks_its_scheme(text) else text


def find_urls(text: str) -> StreamUrl | None:
    """Take a text apart if it is a stream's address, with or without its scheme."""
    try:
        return parse_url(with_scheme(text))
    except ValueError:
        return None


def lacks_its_scheme(text: str) -> bool:
    """Say whether a text is an address but for its scheme: host/app/stream."""
    host, *path = text.partition("?")[0].split("/")
    return len(path) > 1 and _HOST.fullmatch(host) is not None


def parse_url(url: str) -> StreamUrl:
    """Take a push or play URL apart; its query, where keys stand, is dropped.

    A suffix that a transcoding template adds to a stream's name is kept: only the person
    knows whether it is one.

    Raises:
        ValueError: It names no host, path and stream; the text says what is missing and
            holds nothing of the address.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise ValueError("it is not well-formed") from None
    if parts.scheme not in _SCHEMES:
        raise ValueError(f"it must begin with {', '.join(_SCHEMES)}")
    path = parts.path
    if parts.scheme == "srt":
        host, path = _srt(parts, host)
    host = host.rstrip(".")
    if not host:
        raise ValueError("it names no host")
    *app, last = [_QUERY.split(unquote(part))[0] for part in path.split("/") if part] or [""]
    stream = _without_ending(last)
    if len(app) > 1 and last.lower() in _LISTS:
        stream = app.pop()
    if parts.scheme in _WEB and stream == last:
        raise ValueError("over http it must end in .flv or .m3u8")
    if not app or not all(app) or not stream:
        raise ValueError("its path must be /app/stream")
    return StreamUrl(host, "/".join(app), stream, _side(parts.scheme, host))


def _srt(parts: SplitResult, host: str) -> tuple[str, str]:
    """Read the `streamid` of SRT, whose `#` a URL parser takes for a fragment."""
    if "streamid" not in parts.query:
        return host, parts.path
    fields = dict(_SRT_FIELD.findall(unquote(f"{parts.query}#{parts.fragment}")))
    return fields.get("h", host).lower(), fields.get("r", "")


def _without_ending(name: str) -> str:
    ending = next((end for end in _ENDINGS if name.lower().endswith(end)), "")
    return name[: len(name) - len(ending)]


def _side(scheme: str, host: str) -> Side:
    if "push" in host:
        return "push"
    if scheme in _WEB or any(word in host for word in _PLAY):
        return "play"
    return "unclear" if scheme == "webrtc" else "push"
