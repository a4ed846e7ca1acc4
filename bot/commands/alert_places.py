"""Push domains and paths in an alert, and the streams that each of them belongs to; pure."""

import bisect
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeAlias

from bot.catalog import stream_urls

_At: TypeAlias = tuple[int, str]
"""A name or a value, after its position."""

_PAIR = 2

_SIGNS = r"[`*_\"'\\ \t]"
_BINDS = rf"{_SIGNS}{{0,4}}[:=\uff1a\uff1d]{{1,2}}>?{_SIGNS}{{0,4}}"
_ON_NEXT_LINE = rf"{_SIGNS}{{0,4}}\n{_SIGNS}{{0,4}}"
_DOMAIN_LABEL = (
    r"(?:(?:push|publish)?[ _-]?domain(?:[ _-]?name)?|vhost"
    r"|(?:\u63a8\u6d41)?\u57df\u540d|\u30c9\u30e1\u30a4\u30f3)"
)
_HOST = r"((?:[a-z0-9-]{1,63}\.){1,8}[a-z][a-z0-9-]{1,62})"
_LINE, _PARAGRAPH = re.compile(r"\n"), re.compile(r"\n\s*\n")
_DOMAIN = re.compile(
    rf"(?<![a-z0-9]){_DOMAIN_LABEL}(?:{_BINDS}|[ ]{{1,2}}[`\"']?){_HOST}"
    rf"|^{_SIGNS}{{0,4}}{_DOMAIN_LABEL}{_ON_NEXT_LINE}{_HOST}{_SIGNS}{{0,4}}$",
    re.IGNORECASE | re.MULTILINE,
)
_APP_LABEL = (
    r"(?:app(?:[ _-]?name)?|application|\u5e94\u7528(?:\u540d\u79f0?)?"
    r"|\u30a2\u30d7\u30ea(?:\u540d)?)"
)
_APP = re.compile(
    rf"(?<![a-z0-9]){_APP_LABEL}(?:{_BINDS}([\w.-]{{1,100}})|[ ]{{1,2}}[`\"]([\w.-]{{1,100}})[`\"])"
    rf"|^{_SIGNS}{{0,4}}{_APP_LABEL}{_ON_NEXT_LINE}([\w.-]{{1,100}}){_SIGNS}{{0,4}}$",
    re.IGNORECASE | re.MULTILINE,
)
# One segment, or two of which the second is the stream's name.
_PATH_LABEL = r"(?:(?:push|publish|stream|app)[ _-]?)?path|(?:\u63a8\u6d41)?\u8def\u5f84"
_PATH = re.compile(
    rf"(?<![a-z0-9])(?:{_PATH_LABEL})(?:{_BINDS}|{_ON_NEXT_LINE})"
    r"([\w./-]{1,200})",
    re.IGNORECASE,
)
# A host with all of its path: `push.example.com/live`.
_PLACE = re.compile(
    r"(?<![\w./:@-])([a-z0-9][a-z0-9.-]{2,120})(?::\d{1,5})?((?:/[\w.-]{1,99}){1,9})", re.IGNORECASE
)
_BEFORE_PLACE = re.compile(
    rf"(?:server|push|publish|ingest|endpoint|url|address|\u5730\u5740|\u670d\u52a1\u5668)"
    rf"{_SIGNS}{{0,4}}[:=\uff1a]{_SIGNS}{{0,4}}\Z",
    re.IGNORECASE,
)
# What is right after a name: `cam-7 (push.example.com/live)`, `cam-7@push.example.com`.
_AFTER_NAME = re.compile(
    r"[`*_\"' \t]{0,4}(?:@|\(|\[|(?<=[\s`*_\"'])(?:on|at|via|from)(?=[ ]))[`*_\"' \t]{0,4}"
    r"(?:domain )?([a-z0-9][a-z0-9.-]{2,120})(?::\d{1,5})?((?:/[\w.-]{1,99}){0,9})",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Mark:
    at: int
    text: str
    is_stream: bool


def place_after(text: str, end: int) -> dict[str, str]:
    """Return the push domain and the path right after a stream's name; empty if there are none."""
    found = _AFTER_NAME.match(text, end)
    return {} if found is None else _place(found[1], found[2])


def _place(host: str, path: str) -> dict[str, str]:
    """Return the place that a host with a path is; empty if it is none for pushing."""
    host, app = host.lower().rstrip(".-"), path.strip("/").rstrip(".")
    if "push" not in host or "." not in host or "/" in app:
        return {}
    return {"DomainName": host} | ({"AppName": app} if app else {})


@dataclass(frozen=True, slots=True)
class Places:
    """The places that a text names.

    Attributes:
        common: The domain and the path that it names for all of its streams.
        own: Those of single streams, by where the stream's name is.
    """

    common: Mapping[str, str]
    own: Mapping[int, Mapping[str, str]]

    def of(self, at: int | None) -> dict[str, str]:
        """Return the place of a stream; None is one whose position is not known."""
        return {**self.common, **(self.own.get(at, {}) if at is not None else {})}


def find_places(text: str, streams: Sequence[_At]) -> Places:
    """Return the places in a text, each with the streams that it belongs to.

    Args:
        streams: Where the name of each stream is, and the name; in order.
    """
    labelled = {"DomainName": list(_domains(text)), "AppName": list(_apps(text, streams))}
    if not labelled["DomainName"]:
        for at, place in _unlabelled(text, streams):
            for kind, value in place.items():
                labelled[kind].append((at, value))
    common: dict[str, str] = {}
    own: dict[int, dict[str, str]] = {}
    for kind, named in labelled.items():
        values = {value for _, value in named}
        if len(values) == 1:
            common[kind] = values.pop()
        elif values:
            for at, value in _belonging(text, streams, named).items():
                own.setdefault(at, {})[kind] = value
    return Places(common, own)


def _domains(text: str) -> Iterator[_At]:
    for found in _DOMAIN.finditer(text):
        host = (found[1] or found[2]).lower()
        if stream_urls.is_push_host(host):
            yield found.start(), host
    # Tencent's own callbacks call the push domain `app`, and the path `appname`.
    for at, app in _written_apps(text):
        if _is_host(app):
            yield at, app.lower()


def _apps(text: str, streams: Sequence[_At]) -> Iterator[_At]:
    yield from ((at, app) for at, app in _written_apps(text) if not _is_host(app))
    names = {name for _, name in streams}
    for found in _PATH.finditer(text):
        app, _, name = found[1].rstrip(".").strip("/").partition("/")
        if app.strip("-_.") and (not name or name in names):
            yield found.start(), app


def _written_apps(text: str) -> Iterator[_At]:
    for found in _APP.finditer(text):
        yield found.start(), next(filter(None, found.groups()))


def _is_host(app: str) -> bool:
    return "." in app and stream_urls.is_push_host(app)


def _unlabelled(text: str, streams: Sequence[_At]) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yield the places behind the label of a server, or on the line of a stream."""
    lines = _starts(text, _LINE)
    of_streams = {bisect.bisect(lines, at) for at, _ in streams}
    for found in _PLACE.finditer(text):
        is_near = bisect.bisect(lines, found.start()) in of_streams
        if is_near or _BEFORE_PLACE.search(text[max(0, found.start() - 30) : found.start()]):
            yield found.start(), _place(found[1], found[2])


def _starts(text: str, between: re.Pattern[str]) -> list[int]:
    return [found.end() for found in between.finditer(text)]


def _belonging(text: str, streams: Sequence[_At], named: Sequence[_At]) -> dict[int, str]:
    """Return the value that belongs to each stream: of its line, its paragraph, or the text."""
    values: dict[int, str] = {}
    nearest: set[int] = set()
    marks = [_Mark(at, name, is_stream=True) for at, name in streams]
    marks += [_Mark(at, value, is_stream=False) for at, value in named]
    marks.sort(key=lambda one: one.at)
    for starts in (_starts(text, _LINE), _starts(text, _PARAGRAPH), []):
        for part in _parts(marks, starts):
            for at, (value, is_nearest) in _in_order(part).items():
                if at not in values:
                    values[at] = value
                    nearest |= {at} if is_nearest else set()
    return _without_far(streams, values, nearest)


def _parts(marks: Sequence[_Mark], starts: Sequence[int]) -> Iterator[Sequence[_Mark]]:
    for _, part in itertools.groupby(marks, lambda one: bisect.bisect(starts, one.at)):
        yield list(part)


def _in_order(marks: Sequence[_Mark]) -> dict[int, tuple[str, bool]]:
    """Return the value of each stream in a part of the text, and whether it is right beside it.

    Values stand before their streams throughout, or after them; else it is not known.
    """
    runs = [list(run) for _, run in itertools.groupby(marks, lambda one: one.is_stream)]
    if len(runs) < _PAIR or runs[0][0].is_stream == runs[-1][0].is_stream:
        return {}
    found: dict[int, tuple[str, bool]] = {}
    for first, then in zip(runs[::2], runs[1::2], strict=True):
        streams, named = (first, then) if first[0].is_stream else (then, first)
        values = {one.text for one in named}
        if len(values) == 1:
            beside, value = streams[-1 if streams is first else 0], values.pop()
            for one in streams:
                found[one.at] = value, one.text == beside.text or one.at == beside.at
    return found


def _without_far(
    streams: Sequence[_At], values: Mapping[int, str], nearest: AbstractSet[int]
) -> dict[int, str]:
    """Return the values without those of a stream that has another one right beside its name."""
    beside: dict[str, set[str]] = {}
    for at, name in streams:
        if at in nearest:
            beside.setdefault(name, set()).add(values[at])
    names = dict(streams)
    return {
        at: value
        for at, value in values.items()
        if at in nearest or value in beside.get(names[at], {value})
    }
