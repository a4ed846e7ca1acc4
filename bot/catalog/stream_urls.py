"""Push and play URLs: the host, path and stream that they name, without their keys."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import SplitResult, unquote, urlsplit

from bot.redact import redact

Side: TypeAlias = Literal["push", "play", "unclear"]

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_SCHEMES = ("rtmp", "rtmps", "srt", "webrtc", "http", "https")
_TUNNELS = ("rtmpt", "rtmpe", "rtmpte", "rtmpts")
_SERVERS = ("rtmp", "rtmps", *_TUNNELS)
_WEB = ("http", "https")
_ENDINGS = (".flv", ".m3u8", ".xs", ".sdp")
# Names of a playlist in a stream's own HLS folder: `/live/s1/playlist.m3u8`.
_LIST = re.compile(
    r"(?:playlist|index|chunklist|master|main|media|mono|prog_index)(?:[_-][\w.-]*)?\.m3u8",
    re.IGNORECASE,
)
# Folders and files of one quality of a stream, which no stream is called.
_QUALITY = re.compile(
    r"[0-9]{3,4}[pi][0-9]*|[0-9]+k(?:bps)?|[fqu]?hd|[ls]d|v[0-9]|level[_-]?[0-9]", re.IGNORECASE
)
_NO_APP = re.compile(r"(?:playlist|index|chunklist|prog_index)[\w.-]*", re.IGNORECASE)
_TIMESHIFT = "timeshift"
_PLAY = ("play", "pull", "cdn")
_HOST = re.compile(r"(?:[a-z0-9-]+\.)+[a-z][a-z0-9-]+\.?(?::[0-9]+)?", re.IGNORECASE)
# The part of a path after these is a query, which holds keys: as phones write them, and
# percent-encoded any number of times.
_QUERY = re.compile(
    "[?&\ufe56\uff1f\ufe60\uff06]|%(?:25)*(?:3F|26|EF%(?:25)*BC%(?:25)*(?:9F|86))", re.IGNORECASE
)
# What begins the query of a name that stands alone.
_NAME_END = re.compile("[?\ufe56\uff1f]|%(?:25)*(?:3F|EF%(?:25)*BC%(?:25)*9F)", re.IGNORECASE)
_SIGNS = "/\\?&#=:@"
"""Signs that mean something in an address."""
_TIMES_ENCODED = 4
_BROKEN = re.compile(r"(rtmps?|srt|webrtc|https?)(?::/{0,3}|/{1,3})(?=[\w-])(.+)", re.IGNORECASE)
_VHOST = re.compile(r"(?:^|&)vhost=([^&/]+)")
# No scheme is longer; without an end, time would grow with the square of a long word.
_IN_TEXT = re.compile(r"[a-z][a-z0-9+.-]{0,30}://[^\s\"'<>]+", re.IGNORECASE)
_SRT_PATH = re.compile(r"(?:^|&)streamid=([^#&?,:=]+/[^#&?,:=]+)")
# `#!::h=push.example.com,r=live/stream1,txSecret=…`
_SRT_FIELD = re.compile(r"(?:::|,)([hr])=([^,&]+)")


@dataclass(frozen=True, slots=True)
class StreamUrl:
    """A stream's URL.

    Attributes:
        host: In lower case, without port.
        app: The path before the stream's name, e.g. `live`; it may have several segments.
        side: Whether the host is for pushing or for playing; `unclear` if neither scheme
            nor host tells.
    """

    host: str
    app: str
    stream: str
    side: Side


def looks_like_url(text: str) -> bool:
    """Return whether a text begins like a URL, valid or not."""
    return _URL.match(text) is not None


def with_scheme(text: str) -> str:
    """Return a URL with the scheme that it lacks; any other text unchanged."""
    return f"rtmp://{text}" if lacks_its_scheme(text) else text


def find_url(text: str) -> StreamUrl | None:
    """Return the stream that a URL names, with or without its scheme; None if it is no such URL."""
    try:
        return parse_url(with_scheme(text))
    except ValueError:
        return None


def only_url_in(text: str) -> str:
    """Return the stream's URL in a text such as a command line; empty if there are several."""
    found = {url for url in _IN_TEXT.findall(text) if find_url(url) is not None}
    return found.pop() if len(found) == 1 else ""


def with_plain_query(name: str) -> str:
    """Return a push name, `stream1?txSecret=…`, with a `?` where its query begins otherwise.

    An `&` begins one only where all that follows are keys; else it may stand in a list. An
    address is returned unchanged.
    """
    if looks_like_url(name) or lacks_its_scheme(name):
        return name
    if (found := _NAME_END.search(name)) is not None:
        return f"{name[: found.start()]}?{name[found.end() :]}"
    before, *fields = name.split("&")
    keys = fields and all(redact(field) != field for field in fields)
    return f"{before}?{'&'.join(fields)}" if keys else name


def with_key(server: str, key: str) -> str:
    """Return the URL of a server and a key as encoders ask for them; empty if it is no server.

    The server is `rtmp://push.example.com/live/`, and the key is `stream1?txSecret=…`.
    """
    if "://" not in server:
        return ""
    try:
        parts = urlsplit(server)
    except ValueError:
        return ""
    is_server = parts.scheme in _SERVERS and parts.netloc and not (parts.query or parts.fragment)
    app = parts.path.strip("/")
    name = _NAME_END.split(key)[0]
    if not is_server or not app or "/" in app or "/" in name or looks_like_url(key):
        # A path after a server is the rest of an address that was cut.
        return ""
    return f"{server.rstrip('/')}/{key}"


def mended(text: str) -> str:
    """Return a URL whose scheme lost a part, like `rtmp:/a.b/live/x`; empty for any other text."""
    found = _BROKEN.match(text.replace("\\", "/"))
    if found is None:
        return ""
    url = f"{found[1].lower()}://{found[2]}"
    return url if find_url(url) is not None else ""


def lacks_its_scheme(text: str) -> bool:
    """Return whether a text is a URL without its scheme: host/app/stream."""
    host, *path = text.partition("?")[0].split("/")
    return len(path) > 1 and _HOST.fullmatch(host) is not None


def parse_url(url: str) -> StreamUrl:
    """Return the stream that a push or play URL names, without the query, which holds keys.

    A suffix that a transcoding template adds to a stream's name is kept: it cannot be told
    from a part of the name.

    Raises:
        ValueError: It names no host, path and stream; the text says what is missing and
            holds nothing of the URL.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise ValueError("it is not well-formed") from None
    if parts.scheme not in (*_SCHEMES, *_TUNNELS):
        raise ValueError(f"it must begin with {', '.join(_SCHEMES)}")
    path = parts.path
    if parts.scheme == "srt":
        host, path = _srt(parts, host)
    path, query = _without_query(path)
    if (vhost := _VHOST.search(f"{query}&{_plain(parts.query)}")) is not None:
        host = vhost[1].lower()
    host = host.rstrip(".")
    if not host:
        raise ValueError("it names no host")
    if "://" in path:
        raise ValueError("it holds another address")
    before, _, end = path.strip("/").rpartition("/")
    segments = [*before.rstrip("/").split("/"), end]
    *app, last = [_QUERY.split(unquote(segment))[0] for segment in segments]
    stream = _without_ending(last)
    if parts.scheme in _WEB and stream == last:
        raise ValueError("over http it must end in .flv or .m3u8")
    app, stream = _of_playlist(app, stream, last)
    if not app or not all(app) or not stream:
        raise ValueError("its path must be /app/stream")
    _require_no_key(host, *app, stream)
    return StreamUrl(host, "/".join(app), stream, _side(parts.scheme, host))


def _without_query(path: str) -> tuple[str, str]:
    """Return a path, and what follows it where a query begins with another sign than `?`."""
    found = _QUERY.search(path)
    return (path[: found.start()], _plain(path[found.start() :])[1:]) if found else (path, "")


def _plain(text: str) -> str:
    """Return a text with every sign in its usual width, however often it is percent-encoded."""
    for _ in range(_TIMES_ENCODED):
        if "%" not in text and text.isascii():
            return text
        text = unicodedata.normalize("NFKC", unquote(text))
    return text


def _require_no_key(*names: str) -> None:
    """Refuse a host, a path or a name that may hold a key, or a sign in another spelling.

    Raises:
        ValueError: It does; the text holds nothing of the names.
    """
    for name in names:
        if not {"/", "\\"}.isdisjoint(name):
            raise ValueError("a part of its path holds a slash or a backslash inside")
        plain = _plain(name)
        if redact(name) != name or (plain != name and redact(plain) != plain):
            raise ValueError("a part of its path looks like a key; leave the key out")
        if plain != name and any(plain.count(sign) > name.count(sign) for sign in _SIGNS):
            raise ValueError("it holds a full-width or an encoded sign; type the address again")


def _of_playlist(app: list[str], stream: str, file: str) -> tuple[list[str], str]:
    """Return the path and the name of a stream whose playlist may lie in a folder of its own.

    Args:
        stream: The file without its ending.

    Raises:
        ValueError: The folder and the file may both be the stream.
    """
    if file.lower() == f"{_TIMESHIFT}.m3u8" and app[1:-1] and app[0].lower() == _TIMESHIFT:
        # Tencent's form: /timeshift/app/stream/timeshift.m3u8.
        return app[1:-1], app[-1]
    is_list = _LIST.fullmatch(file) is not None
    if is_list and app[1:]:
        app, stream = app[:-1], app[-1]
        is_unclear = _QUALITY.fullmatch(stream) is not None
    elif is_list:
        is_unclear = app != ["live"] and _NO_APP.fullmatch(stream) is not None
    else:
        of_folder = file.lower().endswith(".m3u8") or _QUALITY.fullmatch(stream)
        is_unclear = bool(app[1:] and of_folder)
    if is_unclear or _TIMESHIFT in (app[0].lower() if app else "", stream.lower()):
        raise ValueError(
            "the stream may be its folder or its file; write the stream's name instead"
        )
    return app, stream


def _srt(parts: SplitResult, host: str) -> tuple[str, str]:
    """Return host and path from SRT's `streamid`, whose `#` a URL parser takes for a fragment."""
    if "streamid" not in parts.query:
        return host, parts.path
    text = unquote(f"{parts.query}#{parts.fragment}" if parts.fragment else parts.query)
    if (plain := _SRT_PATH.search(text)) is not None:
        return host, plain[1]
    fields = dict(_SRT_FIELD.findall(text))
    return fields.get("h", host).lower(), fields.get("r", "")


def _without_ending(name: str) -> str:
    ending = next((end for end in _ENDINGS if name.lower().endswith(end)), "")
    return name[: len(name) - len(ending)]


def is_push_host(host: str) -> bool:
    """Return whether streams are pushed to a host, as far as its name tells."""
    return _side("rtmp", host) == "push"


def _side(scheme: str, host: str) -> Side:
    if "push" in host:
        return "push"
    if scheme in _WEB or any(word in host for word in _PLAY):
        return "play"
    return "unclear" if scheme == "webrtc" else "push"
