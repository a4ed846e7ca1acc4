"""URLs, stream names and task ids in an alert that can be stopped; pure.

An alert is untrusted text: a candidate only fills in a form, which a person reads and submits.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

from bot.catalog import stream_urls
from bot.catalog.registry import ACTIONS
from bot.commands.sentences import WORDS
from bot.commands.several import is_shaped
from bot.model.actions import Action, Effect

MOST = 10
"""Candidates of one message that are offered."""

_KNOWN_MOST = 50
_READ_MOST = 20_000
_VALUE_MOST = 200
_STOPS = tuple(a for a in ACTIONS if a.effect is Effect.STOP and a.params and a.undo is None)
"""Actions that stop without a ban: the mildest is offered, the form lists the others."""

# Non-ASCII punctuation and scripts without spaces: no URL or name contains them unescaped.
_WIDE = "\u2010-\u205f\u2e80-\uffef"
_URL = re.compile(
    rf"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{{1,10}}://"
    rf"(?:(?![,;][a-z]{{2,6}}://)[^\s<>|\"'`\\{_WIDE}])+",
    re.IGNORECASE,
)
_AFTER_URL = ".,;:!?)]}*"
# `<url|label>`: the label may be the name.
_LINKED = re.compile(r"<[a-z][a-z0-9+.-]*:[^<>|\s]*\|([^<>]*)>", re.IGNORECASE)
_NO_NAME = "\0"
"""Replaces a URL, so that the text after it is not taken for the name of a label."""
_SIGNS = (
    "`\"'*~\\\u201c\u201d\u2018\u2019\u00ab\u00bb()[]{}<>|\u2022"
    "\u300c\u300d\u300e\u300f\u3010\u3011"
)
"""Signs around a name."""
_MARKS = r"\s" + re.escape(_SIGNS)
_NAME = re.compile(
    rf"(?:[{_MARKS}]|[_-](?=\s))*((?:(?![{_WIDE}])[\w.:/-])+)[{_MARKS}_]*([=+@#$%^]?)"
)
_IN_LINE = r" \t" + re.escape(_SIGNS)
_ONE_OF_SEVERAL = re.compile(rf"[{_IN_LINE}]*[\w.:-]+[{_IN_LINE}]*")
_IN_LINE_CHARACTERS = f" \t{_SIGNS}"
_OUTSIDE_NAME = re.compile(r"[^\w.:-]")
_TIME = re.compile(r"(?:\d{4}-\d\d-\d\dT)?\d{1,2}:\d\d(?::\d\d)?(?:\.\d+)?Z?")
_OTHER_LABEL = re.compile(r"[A-Za-z][A-Za-z_-]*:")
_FAR = 600
"""Characters after a label in which its name is searched."""


def _label_of(api: str) -> str:
    """Return the pattern of Tencent's name in alerts: `StreamName`, `stream_id`, `Stream`."""
    *first, of = re.findall("[A-Z][a-z]*", api)
    thing = "[ _-]?".join(first)
    return rf"{thing}(?:[ _.-]?(?:name|id|url))?" if of == "Name" else rf"{thing}[ _.-]?{of}"


_STREAM_LABELS = "\u76f4\u64ad\u6d41\u540d?\u79f0?|\u6d41\u540d\u79f0?|\u6d41 ?id"
"""What alerts in Chinese call the name of a stream."""

_LABEL = "|".join(
    [*(_label_of(api) for api in dict.fromkeys(a.params[0].api for a in _STOPS)), _STREAM_LABELS]
)
_BINDS = r"[`*_\"'\\ \t]{0,4}[:=\uff1a\uff1d]{1,2}>?[`*_\"'\\ \t]{0,4}"
_DOMAIN = re.compile(
    r"(?<![a-z0-9])(?:(?:push|publish)?[ _-]?domain(?:[ _-]?name)?|vhost"
    rf"|(?:\u63a8\u6d41)?\u57df\u540d){_BINDS}((?:[a-z0-9-]+\.)+[a-z][a-z0-9-]+)",
    re.IGNORECASE,
)
_APP = re.compile(
    rf"(?<![a-z0-9])(?:app(?:[ _-]?name)?|application|\u5e94\u7528(?:\u540d\u79f0?)?){_BINDS}"
    r"([\w.-]{1,100})",
    re.IGNORECASE,
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
_QUOTED_NAME = re.compile(r"[\s*_>]*(?:\"([^\"\n\\]+)\"|`([^`\n]+)`|\u201c([^\u201d\n]+)\u201d)")
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
_WORDS_ALONE = re.compile(rf"[{_MARKS}]*(\w+(?: \w+){{1,3}})[{_MARKS}]*")
_HAPPENED = frozenset(
    """
    aborted alert alerting appeared began buffering closed connected crashed critical dead degraded
    died disconnected dropped ended expired failed failing firing flapping frozen gone idle inactive
    interrupted lagging lost missing published publishing pushed pushing reconnected recovered
    rejected resolved restarted stalled started starting stuck terminated timeout unavailable
    unhealthy unpublished unreachable unstable warning
    """.split()  # noqa: SIM905
)
"""What alerts say of a stream right after its name."""
# Words after a label that are no name: another label, or a word for nothing.
_NO_NAMES = frozenset(
    {name.casefold() for a in ACTIONS for p in a.params for name in (p.api, p.word)}
    | {"null", "none", "nil", "n/a", "unknown", "true", "false", "status", "state", "time"}
    | {"host", "server", "node", "name", "id", "bitrate", "fps", "error", "severity", "value"}
    | {"adv_stream", "simple_stream"}
    | {"down", "up", "offline", "online", "active", "inactive", "ok", "all"}
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
    urls = (_from_url_match(found) for found in _URL.finditer(text))
    plain = _URL.sub(_NO_NAME, _LINKED.sub(r"\1", text))
    own = _own_place(plain)
    plain = "\n".join(map(_one_per_line, plain.split("\n")))
    written = chain(_from_settings(text), _from_logs(plain), _from_paths(plain))
    named = chain.from_iterable(map(_from_label_match, _LABELLED.finditer(plain)))
    known: list[Candidate] = []
    for one in _placed(chain(urls, written, named), own):
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
    return text in _NO_NAMES or re.fullmatch(_LABEL, text, re.IGNORECASE) is not None


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


def _own_place(text: str) -> dict[str, str]:
    """Return the push domain and the path that a message names for all of its streams."""
    domains = {found[1].lower() for found in _DOMAIN.finditer(text)}
    domains = {one for one in domains if stream_urls.is_push_host(one)}
    apps = {found[1] for found in _APP.finditer(text)}
    # Tencent's own callbacks call the push domain `app`, and the path `appname`.
    hosts = {one for one in apps if stream_urls.is_push_host(one) and "." in one}
    apps, domains = apps - hosts, domains | {one.lower() for one in hosts}
    place = {"DomainName": domains.pop()} if len(domains) == 1 else {}
    return place | ({"AppName": apps.pop()} if len(apps) == 1 else {})


def _placed(
    candidates: Iterable[Candidate | None], place: Mapping[str, str]
) -> Iterator[Candidate]:
    """Yield the candidates, each stream with the domain and path that it does not name itself."""
    for one in candidates:
        if one is not None:
            is_stream = "StreamName" in one.params
            yield replace(one, params={**place, **one.params}) if is_stream else one


def _from_logs(text: str) -> Iterator[Candidate | None]:
    """Yield what log lines of streaming servers name."""
    for found in _ACCESS_LOG.finditer(text):
        yield _candidate({"StreamName": found[2], "AppName": found[1]})
    for found in chain(_ERROR_LOG.finditer(text), _NESTED.finditer(text)):
        yield _candidate({"StreamName": found[1]})


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


def _from_label_match(found: re.Match[str]) -> Iterator[Candidate | None]:
    """Yield what a label names: of a name that may be several words, all of them first."""
    label = next(filter(None, found.groups()))
    value = _value_after(found.string, found.end())
    if value and (words := _words_after(found.string, found.end(), value)):
        yield _labelled(label, words)
    if value:
        yield _labelled(label, value)


def _words_after(text: str, at: int, value: str) -> str:
    """Return the whole line after a label, if it may be a name of several words; or nothing."""
    line = text[at : at + _FAR].partition("\n")[0]
    found = _WORDS_ALONE.fullmatch(line)
    if found is None or is_shaped(value):
        return ""
    first, *others = found[1].split(" ")
    said = {word.casefold() for word in others}
    return "" if first != value or said & (WORDS | _NO_NAMES | _HAPPENED) else found[1]


def _labelled(label: str, value: str) -> Candidate | None:
    labels = ((a, _label_of(a.params[0].api)) for a in _STOPS)
    named = (a for a, of in labels if re.fullmatch(of, label, re.IGNORECASE))
    action = next(named, None) or next(a for a in _STOPS if a.params[0].api == "StreamName")
    first = action.params[0].api
    if "/" not in value:
        return _candidate({first: value}, action)
    if first != "StreamName":
        return None
    if stream_urls.lacks_its_scheme(value):
        return _from_url(value)
    app, _, stream = value.rpartition("/")
    return _candidate({"StreamName": stream, "AppName": app}, action)


def _value_after(text: str, at: int) -> str:
    """Return the name after a label on its line, or alone on the next line."""
    here, _, below = text[at : at + _FAR].partition("\n")
    alone = not re.sub(rf"[{_MARKS}_]", "", here)
    quoted = _QUOTED_NAME.match(here)
    if quoted is not None and " " in (name := next(filter(None, quoted.groups())).strip()):
        return "" if "://" in name or _NO_NAME in name else name
    line = below.lstrip().partition("\n")[0] if alone else here
    found = _NAME.match(line)
    if found is None or found[2] or (alone and found.end() < len(line.rstrip())):
        return ""
    value = found[1]
    if alone and _OTHER_LABEL.match(value):
        return ""
    if value.startswith("_") and value.endswith("_"):
        value = value.strip("_")
    value = value.strip(".:-/")
    return "" if value.casefold() in _NO_NAMES or _TIME.fullmatch(value) else value


def _candidate(params: Mapping[str, str], action: Action | None = None) -> Candidate | None:
    if any(len(value) > _VALUE_MOST for value in params.values()):
        return None
    stop = action or next(a for a in _STOPS if a.params[0].api in params)
    return Candidate(stop.api, params)
