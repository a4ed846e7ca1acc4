"""URLs, stream names and task ids in an alert that can be stopped; pure.

An alert is untrusted text: a candidate only fills in a form, which a person reads and submits.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any, TypeAlias

from bot.catalog import stream_urls
from bot.catalog.registry import ACTIONS
from bot.commands.alert_names import NO_NAME, NO_NAMES, SIGNS, WIDE, find_name
from bot.commands.alert_places import find_places, place_after
from bot.model.actions import Action, Effect

MOST = 10
"""Candidates of one message that are offered."""

_KNOWN_MOST = 50
_READ_MOST = 20_000
_VALUE_MOST = 200
_STOPS = tuple(a for a in ACTIONS if a.effect is Effect.STOP and a.params and a.undo is None)
"""Actions that stop without a ban: the mildest is offered, the form lists the others."""

_URL = re.compile(
    rf"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{{1,10}}://"
    rf"(?:(?![,;][a-z]{{2,6}}://)[^\s<>|\"'`\\{WIDE}])+",
    re.IGNORECASE,
)
_AFTER_URL = ".,;:!?)]}*"
# `<url|label>`: the label may be the name.
_LINKED = re.compile(r"<[a-z][a-z0-9+.-]*:[^<>|\s]*\|([^<>]*)>", re.IGNORECASE)
_IN_LINE = r" \t" + re.escape(SIGNS)
_ONE_OF_SEVERAL = re.compile(rf"[{_IN_LINE}]*[\w.:-]+[{_IN_LINE}]*")
_IN_LINE_CHARACTERS = f" \t{SIGNS}"
_OUTSIDE_NAME = re.compile(r"[^\w.:-]")


def _label_of(api: str) -> str:
    """Return the pattern of Tencent's name in alerts: `StreamName`, `stream_id`, `Stream`."""
    *first, of = re.findall("[A-Z][a-z]*", api)
    thing = "[ _-]?".join(first)
    return rf"{thing}(?:[ _.-]?(?:name|id|url))?" if of == "Name" else rf"{thing}[ _.-]?{of}"


_STREAM_LABELS = (
    "\u76f4\u64ad\u6d41\u540d?\u79f0?|\u6d41\u540d\u79f0?|\u6d41 ?id"
    "|\u30b9\u30c8\u30ea\u30fc\u30e0(?:\u540d| ?id)?|\uc2a4\ud2b8\ub9bc(?: ?(?:\uc774\ub984|id))?"
)
"""What alerts in Chinese, Japanese and Korean call the name of a stream."""

_LABEL = "|".join(
    [*(_label_of(api) for api in dict.fromkeys(a.params[0].api for a in _STOPS)), _STREAM_LABELS]
)
# nginx-rtmp: `PUBLISH "live" "cam-7" "txSecret=…"` of its access log.
_ACCESS_LOG = re.compile(r'\b(?:PUBLISH|PLAY)\s+"([\w./-]+)"\s+"([\w.-]+)"')
# nginx-rtmp: `publish: name='cam-7' args='' type=live` of its error log.
_ERROR_LOG = re.compile(r"\b(?:publish|play): name='([\w.-]+)'")
# `"stream": {"name": "cam-7"}`
_NESTED = re.compile(
    r'"stream"\s{0,9}:\s{0,9}\{[^{}"]{0,99}"(?:name|id)"\s{0,9}:\s{0,9}"([\w.-]{1,99})"'
)
# An encoder's settings: `Server: rtmp://push.example.com/live/`, `Stream key: cam-7?txSecret=…`.
_SERVER = re.compile(r"rtmps?://[\w.:-]{1,99}/[\w.-]{1,99}/?(?=[\s>*_`|])", re.IGNORECASE)
_KEY = re.compile(
    r"[\s,;*_`>]{0,9}(?:stream[ _-]?|\u4e32\u6d41|\u63a8\u6d41|\u6d41)?(?:key|\u5bc6\u94a5)"
    r"[*_`\s]{0,9}[:=\uff1a]"
    r"[\s*_`]{0,9}([\w.-]{1,99})",
    re.IGNORECASE,
)
_PUSHED_TO = re.compile(
    r"(?<![\w./:@-])[a-z0-9.-]{0,60}push[a-z0-9.-]{1,60}(?::\d{1,5})?/[\w.-]{1,99}/[\w.-]{1,99}",
    re.IGNORECASE,
)
_LABELLED = re.compile(
    # A separate word, or part of `liveStreamId`, with a colon; or alone on its line; or before
    # a name in quotes, or one like cam-7.
    rf"(?:(?<![a-z0-9])|(?-i:(?<=[a-z])(?=[A-Z])))({_LABEL})"
    rf"[`*_\"'\\ \t]{{0,4}}(?:[:=\uff1a\uff1d]{{1,2}}>?|-{{1,2}}>|\u2192)"
    rf"|^[`*_\"'>\u2022 \t]*({_LABEL})[`*_\"' \t]*$"
    rf"|(?<![a-z0-9])({_LABEL})[ ]+"
    r"(?=[`'\"\u201c\u300c][\w.:/-]+[`'\"\u201d\u300d]|[a-z](?:\w*\.)*[^\W_]*[_-][\w-]*\d)",
    re.IGNORECASE | re.MULTILINE,
)
_SEVERAL = re.compile(
    r"(?<![a-z0-9])stream(?:[ _-]?(?:name|id))?s[`*_\"'\\ \t]{0,4}[:=\uff1a]", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A resource that an alert names.

    Attributes:
        api: The action that stops it.
        params: Its parameters, as far as the alert names them; never a key.
    """

    api: str
    params: Mapping[str, str]

    @property
    def label(self) -> str:
        """Return the parameters in one line."""
        return ", ".join(f"{name} {value}" for name, value in self.params.items())


def find_candidates(message: Mapping[str, Any]) -> tuple[Candidate, ...]:
    """Return the candidates in a message's text, blocks and attachments; URLs first."""
    text = "\n".join(_strings(message))[:_READ_MOST]
    plain = _URL.sub(NO_NAME, _LINKED.sub(r"\1", text))
    plain = "\n".join(map(_one_per_line, plain.split("\n")))
    urls = chain(map(_from_url_match, _URL.finditer(text)), _from_settings(text))
    elsewhere = chain(urls, _from_paths(plain))
    named = chain.from_iterable(map(_from_label_match, _LABELLED.finditer(plain)))
    found = [*((None, one) for one in elsewhere), *_from_logs(plain), *named]
    known: list[Candidate] = []
    for one in _placed(plain, [(at, one) for at, one in found if one is not None]):
        if len(known) < _KNOWN_MOST and one not in known:
            known.append(one)
    # A push URL holds more parameters than the name alone, or than a play URL.
    said = [(one.api, one.params.items()) for one in known]
    fullest = (
        one
        for one in known
        if not any(one.api == api and one.params.items() < items for api, items in said)
    )
    return tuple(islice(fullest, MOST))


def _strings(message: Mapping[str, Any]) -> Iterator[str]:
    """Yield the visible texts of a message, as far as they are read."""
    names = ("text", "blocks", "attachments")
    size = 0
    for text in chain.from_iterable(_texts(message.get(name), depth=0) for name in names):
        yield text
        size += len(text) + 1
        if size > _READ_MOST:
            return


def _texts(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and depth < _DEEP:
        for one in value:
            yield from _texts(one, depth + 1)
    elif isinstance(value, Mapping) and depth < _DEEP:
        if isinstance(title := value.get("title"), str) and isinstance(value.get("value"), str):
            # A field of an attachment.
            yield f"{title}: {value['value']}"
            return
        if value.get("type") in _LINES and isinstance(elements := value.get("elements"), list):
            yield "".join(_inline(one, depth + 2) for one in elements)
            return
        if isinstance(rows := value.get("rows"), list):
            yield from _cells([row for row in rows if isinstance(row, list)], depth + 2)
            return
        for name in _SEEN:
            yield from _texts(value.get(name), depth + 1)


_DEEP = 20
_SEEN = (
    *("pretext", "title", "text", "fallback", "url", "fields", "elements"),
    # A forwarded message is an attachment that holds it as `message_blocks`.
    *("blocks", "footer", "columns", "title_link", "message_blocks", "message"),
)
_LINES = ("rich_text_section", "rich_text_quote", "rich_text_preformatted")


def _inline(element: Any, depth: int) -> str:
    """Return a piece of a line; a link is separated by spaces."""
    text = " ".join(_texts(element, depth))
    return f" {text} " if isinstance(element, Mapping) and "url" in element else text


def _cells(rows: list[list[Any]], depth: int) -> Iterator[str]:
    """Yield a table's cells, each with its heading from the first row or the first cell."""
    table = [[" ".join(_texts(cell, depth)).strip() for cell in row] for row in rows]
    pairs = any(_is_label(row[0]) for row in table[1:] if row)
    for number, row in enumerate(table):
        if pairs and len(row) > 1:
            yield f"{row[0]}: {row[1]}"
        elif number:
            yield from (f"{of}: {cell}" for of, cell in zip(table[0], row, strict=False))
        yield from row


def _is_label(text: str) -> bool:
    text = text.strip("*_:` ").casefold()
    return text in NO_NAMES or re.fullmatch(_LABEL, text, re.IGNORECASE) is not None


def _from_url_match(found: re.Match[str]) -> Candidate | None:
    url = found[0].replace("&amp;", "&").rstrip(_AFTER_URL)
    before = found.string[: found.start()][-1:]
    # Slack's italics and strikethrough; a name may also end in them.
    return _from_url(url.rstrip(before) if before and before in "_~" else url)


def _from_url(url: str) -> Candidate | None:
    link = stream_urls.find_url(url)
    if link is None:
        return None
    params = {"StreamName": link.stream, "AppName": link.app}
    if link.side == "push":
        # Streams cannot be cut on a play domain.
        params["DomainName"] = link.host
    return _candidate(params)


def _placed(text: str, found: Sequence[tuple[int | None, Candidate]]) -> Iterator[Candidate]:
    """Yield the candidates, each stream with the domain and path that it does not name itself.

    Args:
        found: Each candidate after its position in the text, unless it comes with its place.
    """
    streams = sorted(
        (at, one.params["StreamName"])
        for at, one in found
        if at is not None and "StreamName" in one.params
    )
    places = find_places(text, streams)
    for at, one in found:
        is_stream = "StreamName" in one.params
        yield replace(one, params={**places.of(at), **one.params}) if is_stream else one


_Found: TypeAlias = tuple[int | None, Candidate | None]


def _from_logs(text: str) -> Iterator[_Found]:
    """Yield what log lines of streaming servers name."""
    for found in _ACCESS_LOG.finditer(text):
        yield found.start(), _candidate({"StreamName": found[2], "AppName": found[1]})
    for found in chain(_ERROR_LOG.finditer(text), _NESTED.finditer(text)):
        yield found.start(), _candidate({"StreamName": found[1]})


def _from_settings(text: str) -> Iterator[Candidate | None]:
    """Yield the server and the key of an encoder's settings."""
    for server in _SERVER.finditer(text):
        if (key := _KEY.match(text, server.end())) is not None:
            yield _from_url(f"{server[0].rstrip('/')}/{key[1]}")


def _from_paths(text: str) -> Iterator[Candidate | None]:
    """Yield the addresses without a scheme whose host is one for pushing."""
    for found in _PUSHED_TO.finditer(text):
        yield _from_url(stream_urls.with_scheme(found[0].rstrip(_AFTER_URL)))


def _one_per_line(line: str) -> str:
    """Return a line that ends in a list like `streams: a, b` with a line for each name.

    One pattern for the whole list would try each label anew to the end of the line.
    """
    parts = line.split(",")
    first = len(parts) - 1
    while first and _ONE_OF_SEVERAL.fullmatch(parts[first]):
        first -= 1
    start = sum(len(part) + 1 for part in parts[:first])
    for number in range(first, len(parts) - 1):
        if (label := _label_of_several(parts[number])) is not None:
            names = (parts[number][label.end() :], *parts[number + 1 :])
            before = line[: start + label.start()]
            return before + "".join(f"\nStream: {name}\n" for name in names)
        start += len(parts[number]) + 1
    return line


def _label_of_several(part: str) -> re.Match[str] | None:
    """Return the first label after which a text holds one name and nothing else."""
    bare = part.rstrip(_IN_LINE_CHARACTERS)
    name = max((found.end() for found in _OUTSIDE_NAME.finditer(bare)), default=0)
    earliest = len(bare[:name].rstrip(_IN_LINE_CHARACTERS))
    labels = _SEVERAL.finditer(part)
    return next((one for one in labels if earliest <= one.end() < len(bare)), None)


def _from_label_match(found: re.Match[str]) -> Iterator[_Found]:
    """Yield what a label names: of a name that may be several words, all of them first."""
    label = next(filter(None, found.groups()))
    action = _action_of(label)
    is_stream = action.params[0].api == "StreamName"
    name = find_name(found.string, found.end(), is_id=not is_stream)
    for value in name.names if name else ():
        one = _labelled(action, value)
        if one is not None and is_stream and name:
            one = replace(one, params={**place_after(found.string, name.end), **one.params})
        yield found.start(), one


def _action_of(label: str) -> Action:
    labels = ((a, _label_of(a.params[0].api)) for a in _STOPS)
    named = (a for a, of in labels if re.fullmatch(of, label, re.IGNORECASE))
    return next(named, None) or next(a for a in _STOPS if a.params[0].api == "StreamName")


def _labelled(action: Action, value: str) -> Candidate | None:
    first = action.params[0].api
    if "/" not in value:
        return _candidate({first: value}, action)
    if first != "StreamName":
        return None
    if stream_urls.lacks_its_scheme(value):
        return _from_url(value)
    app, _, stream = value.rpartition("/")
    return _candidate({"StreamName": stream, "AppName": app}, action)


def _candidate(params: Mapping[str, str], action: Action | None = None) -> Candidate | None:
    if any(len(value) > _VALUE_MOST for value in params.values()):
        return None
    stop = action or next(a for a in _STOPS if a.params[0].api in params)
    return Candidate(stop.api, params)
