"""Foreign text made harmless; people, channels, times and commands as Slack shows them; pure.

Source: https://docs.slack.dev/messaging/formatting-message-text
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from bot.model.actions import DEFAULT, Action, Effect, Json, Param
from bot.redact import HIDDEN, redact
from bot.times import parse_instant

ELLIPSIS = "…"

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# What needs no work, as most names and sentences do not.
_PLAIN = re.compile(r"[A-Za-z0-9 .,;/()'\"=+-]*")
_NAME = re.compile(r"[A-Za-z0-9._:/=-]+")
# Letters and marks that show nothing, beside those that Unicode calls control or format.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_EDGES = re.compile(r"(?<![0-9A-Za-z])[*_~]|[*_~](?![0-9A-Za-z])")
_EMOJI = re.compile(r":(?=[\w+'-]+:)")
# Signs that look like the ones that Slack reads as markup.
_TICK, _AT, _COLON = "\u02cb", "\uff20", "\u2236"
_LOOKALIKES = {"*": "\u2217", "_": "\uff3f", "~": "\u223c"}
_USER = re.compile(r"[UW][A-Z0-9]{1,31}")
_CHANNEL = re.compile(r"[CG][A-Z0-9]{1,31}")
_CHANNEL_IN_TEXT = re.compile(r"(?<![\w#])[CG](?=[A-Z]*[0-9])[A-Z0-9]{4,31}(?!\w)")
_USER_IN_TEXT = re.compile(r"(?<![\w@])[UW](?=[A-Z]*[0-9])[A-Z0-9]{4,31}(?!\w)")
_UTC_IN_TEXT = re.compile(r"(?<!\d)\d{4}-\d\d-\d\d \d\d:\d\d UTC")
_APART = re.compile("«([^»]*)(?:»|$)")
_GROUP = re.compile(r"S[A-Z0-9]{1,31}")
_LINK = re.compile(r"https://[A-Za-z0-9.-]+(?::\d+)?/[A-Za-z0-9./?=&_%-]*")
_DATE = re.compile(r"<!date\^[^|>]*\|([^>]*)>")
_TOKEN = re.compile(r"<[^<>]*$|&[a-z]*$")
_LAST_MOMENT = 253_402_300_799


def escape(text: str, most: int = 300) -> str:
    """Make foreign text harmless in the flow of a sentence: one line, no markup, no mention.

    What Slack would read as markup is shown by letters that look alike; for text that is
    to be copied use `code`.

    At most `most` characters as Slack counts them; the rest becomes an ellipsis.
    """
    if len(text) <= most and _PLAIN.fullmatch(text):
        return text
    shown = _visible(text[: 4 * most]).replace("`", _TICK).replace("@", _AT)
    shown = _EDGES.sub(lambda found: _LOOKALIKES[found[0]], shown)
    shown = _EMOJI.sub(_COLON, shown).replace("://", f"{_COLON}//")
    return _limited(shown, most)


def code(text: str, most: int = 150) -> str:
    """Show foreign text as it is, in a code span, where Slack reads no markup."""
    if len(text) <= most and _NAME.fullmatch(text):
        return f"`{text}`"
    shown = _visible(text[: 4 * most]).replace("`", _TICK)
    return f"`{_limited(shown, most)}`" if shown else "(empty)"


def code_block(text: str, most: int = 1000) -> str:
    """Show foreign lines in a monospaced block; their places stay where they are."""
    lines = [
        "".join(_seen(c) or "·" for c in line).replace("`", _TICK) for line in text.splitlines()
    ]
    return "```\n" + _limited("\n".join(lines), most) + "\n```"


def fit(markup: str, most: int) -> str:
    """Cut our own markup where it is too long, never inside an entity or a mention."""
    if _size(markup) <= most:
        return markup
    kept, size = [], 0
    for char in markup:
        size += _size(char)
        if size > most - 1:
            break
        kept.append(char)
    return _TOKEN.sub("", "".join(kept)) + ELLIPSIS


def user(id_: str) -> str:
    """Show a user by name, if the id is one."""
    return f"<@{id_}>" if _USER.fullmatch(id_) else code(id_)


def channel(id_: str) -> str:
    """Show a channel by name, if the id is one."""
    if _CHANNEL.fullmatch(id_):
        return f"<#{id_}>"
    return "a direct message" if id_.startswith("D") else code(id_)


def with_names(escaped: str) -> str:
    """Show the ids of channels and users in a sentence of ours by name, its times as times."""
    escaped = _UTC_IN_TEXT.sub(_in_their_zone, escaped)
    named = _CHANNEL_IN_TEXT.sub(lambda found: channel(found[0]), escaped)
    return _USER_IN_TEXT.sub(lambda found: user(found[0]), named)


def worded(text: str, most: int = 900) -> str:
    """Show a sentence of ours: people, channels and times by name, foreign text apart as code."""
    parts = _APART.split(text)
    shown = (code(part, 300) if at % 2 else _with_edges(part) for at, part in enumerate(parts))
    return fit("".join(shown), most)


def _with_edges(text: str) -> str:
    """Escape a part of a sentence; the blanks at its edges stay."""
    inner = text.strip(" ")
    if not inner:
        return text
    before, _, after = text.partition(inner)
    return before + with_names(escape(inner, len(inner) * 5)) + after


def _in_their_zone(found: re.Match[str]) -> str:
    try:
        return moment(
            datetime.strptime(found[0], "%Y-%m-%d %H:%M UTC").replace(tzinfo=UTC).timestamp()
        )
    except ValueError:
        return found[0]


def people(ids: Iterable[str]) -> str:
    """Show users and user groups by name, so that Slack tells them."""
    return " ".join(f"<!subteam^{id_}>" if _GROUP.fullmatch(id_) else user(id_) for id_ in ids)


def link(url: str, label: str) -> str:
    """Give a link to a message of Slack's, or nothing if it does not look like one."""
    return f"<{url}|{label}>" if _LINK.fullmatch(url) else ""


def moment(at: float) -> str:
    """Show a time of epoch seconds in the reader's zone."""
    if not 0 <= at < _LAST_MOMENT:
        return "at an unknown time"
    fallback = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"<!date^{int(at)}^{{date_short_pretty}} {{time}}|{fallback}>"


def spoken(markup: str) -> str:
    """Give markup of ours as plain text, for labels that are read aloud."""
    return _DATE.sub(r"\1", markup).replace("`", "")


def value(param: Param | None, given: Json, most: int = 150) -> str:
    """Show a parameter's value; a secret one and one that nobody declared are not shown."""
    if param is None or param.secret:
        return HIDDEN
    at = parse_instant(given) if param.type.max_days_ahead is not None else None
    if at is not None:
        return moment(at)
    return code(redact(written(given)), most)


def typed(
    action: Action, params: Mapping[str, Json], region: str = "", account: str = DEFAULT
) -> str:
    """Write what to type for an action with these parameters, as far as it has them.

    A secret one is left out, and one that has its default anyway.
    """
    words = [_BEGINNINGS.get(action.effect, "/stopstream"), action.words]
    first = next((p for p in action.params if p.required and p.default is None), None)
    for param in action.params:
        given = params.get(param.api)
        if given is None or param.secret or given == param.default:
            continue
        shown = quoted(redact(written(given)))
        words.append(shown if param is first else f"{param.word}={shown}")
    if region and action.regions is not None:
        words.append(f"region={quoted(region)}")
    if account != DEFAULT:
        words.append(f"account={quoted(account)}")
    return " ".join(words)


def quoted(text: str) -> str:
    """Write a value so that it is read back as one."""
    if re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._:-]*[A-Za-z0-9_-])?", text):
        return text
    if not set(text) & {'"', "\u201d"}:
        return f'"{text}"'
    if not set(text) & {"'", "\u2019"}:
        return f"'{text}'"
    return f"«{text}»"


_BEGINNINGS = {Effect.START: "/startstream", Effect.READ: "/stopstream status"}


def written(given: Json) -> str:
    """Write a value as people type it."""
    if isinstance(given, bool):
        return "yes" if given else "no"
    return ",".join(map(str, given)) if isinstance(given, list) else str(given)


def _visible(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text.strip()
    return " ".join("".join(map(_seen, text)).split())


def _seen(char: str) -> str:
    if char.isspace():
        return " "
    hidden = unicodedata.category(char).startswith("C") or char in _BLANK
    return "" if hidden else char


def _size(text: str) -> int:
    """Count as Slack does: what is beyond the first plane counts twice."""
    return len(text) + sum(char > "\uffff" for char in text)


def _limited(text: str, most: int) -> str:
    pieces = [_ENTITIES.get(char, char) for char in text]
    if _size(text) <= most and sum(map(_size, pieces)) <= most:
        return "".join(pieces)
    kept, size = [], 0
    for piece in pieces:
        size += _size(piece)
        if size > most - 1:
            break
        kept.append(piece)
    return "".join(kept) + ELLIPSIS
