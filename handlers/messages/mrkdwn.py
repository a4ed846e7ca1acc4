"""Untrusted text escaped; users, channels, times and commands as Slack's mrkdwn; pure.

Source: https://docs.slack.dev/messaging/formatting-message-text
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from bot.commands.formatting import is_plain
from bot.commands.vocabulary import REASON
from bot.model.actions import DEFAULT, Action, Effect, Json, Param
from bot.redact import HIDDEN, redact
from bot.times import TO_MINUTE, format_utc, parse_instant

ELLIPSIS = "…"

_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
# Text that needs no escaping, as most names and sentences do not.
_PLAIN = re.compile(r"[A-Za-z0-9 .,;/()'\"=+-]*")
_NAME = re.compile(r"[A-Za-z0-9._:/=-]+")
# Invisible letters and marks, besides those that Unicode calls control or format.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_EDGES = re.compile(r"(?<![0-9A-Za-z])[*_~]|[*_~](?![0-9A-Za-z])")
_EMOJI = re.compile(r":(?=[\w+'-]+:)")
# Characters that look like those that Slack reads as markup.
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
_DATE = re.compile(r"<!date\^[^|<>]*\|([^<>]*)>")
_WORDS_OF_DATE = {"{date_short_pretty}": "Nov 20, 2026", "{time}": "8:15 PM"}
_SHOWN_DATE = re.compile(r"<!date\^\d+\^([^|<>]*)\|[^<>]*>")
_SHOWN_LINK = re.compile(r"<https://[^|<>]*\|([^<>]*)>")
_TOKEN = re.compile(r"<[^<>]*$|&[a-z]*$")
_LAST_MOMENT = 253_402_300_799


def escape(text: str, most: int = 300) -> str:
    """Escape untrusted text for use in a sentence: one line, no markup, no mention.

    Markup is replaced by characters that look alike; use `code` for text that is copied.

    Args:
        most: Characters as Slack counts them; an ellipsis replaces the rest.
    """
    if len(text) <= most and _PLAIN.fullmatch(text):
        return text
    shown = _visible(text[: 4 * most]).replace("`", _TICK).replace("@", _AT)
    shown = _EDGES.sub(lambda found: _LOOKALIKES[found[0]], shown)
    shown = _EMOJI.sub(_COLON, shown).replace("://", f"{_COLON}//")
    return _limited(shown, most)


def code(text: str, most: int = 150) -> str:
    """Render untrusted text in a code span, where Slack reads no markup."""
    if len(text) <= most and _NAME.fullmatch(text):
        return f"`{text}`"
    shown = _visible(text[: 4 * most]).replace("`", _TICK)
    return f"`{_limited(shown, most)}`" if shown else "(empty)"


def code_block(text: str, most: int = 1000) -> str:
    """Render untrusted lines in a code block; columns stay aligned."""
    lines = [
        "".join(_seen(c) or "·" for c in line).replace("`", _TICK) for line in text.splitlines()
    ]
    return "```\n" + _limited("\n".join(lines), most) + "\n```"


def truncate(markup: str, most: int) -> str:
    """Truncate markup, never inside an entity or a mention."""
    if _size(markup) <= most:
        return markup
    return _TOKEN.sub("", _beginning(markup, most - 1)) + ELLIPSIS


def user(id_: str) -> str:
    """Render a user as a mention, if the id is valid."""
    return f"<@{id_}>" if _USER.fullmatch(id_) else code(id_)


def channel(id_: str) -> str:
    """Render a channel as a link, if the id is valid."""
    if _CHANNEL.fullmatch(id_):
        return f"<#{id_}>"
    return "a direct message" if id_.startswith("D") else code(id_)


def with_names(escaped: str) -> str:
    """Render the ids and UTC times in an escaped sentence as mentions, links and Slack dates."""
    escaped = _UTC_IN_TEXT.sub(_in_their_zone, escaped)
    named = _CHANNEL_IN_TEXT.sub(lambda found: channel(found[0]), escaped)
    return _USER_IN_TEXT.sub(lambda found: user(found[0]), named)


def render_sentence(text: str, most: int = 900) -> str:
    """Render a sentence of the bot's: ids and times as Slack shows them, «quoted» text as code."""
    parts = _APART.split(text)
    shown = (code(part, 300) if at % 2 else _with_edges(part) for at, part in enumerate(parts))
    return truncate("".join(shown), most)


def _with_edges(text: str) -> str:
    """Escape a part of a sentence; spaces at its edges are kept."""
    inner = text.strip(" ")
    if not inner:
        return text
    before, _, after = text.partition(inner)
    return before + with_names(escape(inner, len(inner) * 5)) + after


def _in_their_zone(found: re.Match[str]) -> str:
    try:
        return format_slack_time(
            datetime.strptime(found[0], TO_MINUTE).replace(tzinfo=UTC).timestamp()
        )
    except ValueError:
        return found[0]


def mentions(ids: Iterable[str]) -> str:
    """Render users and user groups as mentions, so that Slack notifies them."""
    return " ".join(f"<!subteam^{id_}>" if _GROUP.fullmatch(id_) else user(id_) for id_ in ids)


def link(url: str, label: str) -> str:
    """Render a link to a Slack message; empty if the address does not look like one."""
    return f"<{url}|{label}>" if _LINK.fullmatch(url) else ""


def format_slack_time(at: float) -> str:
    """Render epoch seconds as a date in the reader's time zone."""
    if not 0 <= at < _LAST_MOMENT:
        return "at an unknown time"
    fallback = format_utc(at, TO_MINUTE)
    return f"<!date^{int(at)}^{{date_short_pretty}} {{time}}|{fallback}>"


def format_clock(at: float) -> str:
    """Render epoch seconds that are less than a day away, as a time in the reader's zone."""
    if not 0 <= at < _LAST_MOMENT:
        return "an unknown time"
    return f"<!date^{int(at)}^{{time}}|{format_utc(at, TO_MINUTE)}>"


def plain_text(markup: str) -> str:
    """Return markup as plain text, for labels that screen readers read."""
    return _DATE.sub(r"\1", markup).replace("`", "")


def count_words(markup: str) -> int:
    """Return how many words people see of markup, dates in their longest form."""
    shown = _SHOWN_LINK.sub(r"\1", _SHOWN_DATE.sub(r"\1", markup))
    for placeholder, longest in _WORDS_OF_DATE.items():
        shown = shown.replace(placeholder, longest)
    return sum(any(map(str.isalnum, word)) for word in shown.split())


def param_value(param: Param | None, given: Json, most: int = 150) -> str:
    """Render a parameter's value; secret and undeclared ones are hidden."""
    if param is None or param.secret:
        return HIDDEN
    at = parse_instant(given) if param.type.max_days_ahead is not None else None
    if at is not None:
        return format_slack_time(at)
    return code(redact(format_value(given)), most)


def format_command(
    action: Action,
    params: Mapping[str, Json],
    region: str = "",
    account: str = DEFAULT,
    reason: str = "",
) -> str:
    """Render the command for an action with these parameters.

    Parameters that are secret, or that have their default, are left out.

    Args:
        reason: The code that stands for Tencent's `Reason`.
    """
    words = [_BEGINNINGS.get(action.effect, "/stopstream"), action.words]
    first = next((p for p in action.params if p.required and p.default is None), None)
    for param in action.params:
        given = params.get(param.api)
        if given is None or param.secret or given == param.default:
            continue
        if reason and param.api == REASON:
            continue
        shown = quoted(redact(format_value(given)))
        words.append(shown if param is first else f"{param.word}={shown}")
    if region and action.regions is not None:
        words.append(f"region={quoted(region)}")
    if account != DEFAULT:
        words.append(f"account={quoted(account)}")
    if reason:
        words.append(f"reason={reason}")
    return " ".join(words)


def quoted(text: str) -> str:
    """Quote a value so that it is parsed as one."""
    if re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._:-]*[A-Za-z0-9_-])?", text) and is_plain(text):
        return text
    if not set(text) & {'"', "\u201d"}:
        return f'"{text}"'
    if not set(text) & {"'", "\u2019"}:
        return f"'{text}'"
    return f"«{text}»"


_BEGINNINGS = {Effect.START: "/startstream", Effect.READ: "/stopstream status"}


def format_value(given: Json) -> str:
    """Render a value as people type it."""
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
    """Return the length as Slack counts it, in UTF-16 units."""
    # By encoding it, because every message is counted: one character at a time takes 30 times as
    # long.
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _beginning(text: str, most: int) -> str:
    """Return as much of the beginning as Slack counts as so many characters."""
    kept = text[:most]
    while (excess := _size(kept) - most) > 0:
        # Each character that goes counts as two at most.
        kept = kept[: -((excess + 1) // 2)]
    return kept


def _limited(text: str, most: int) -> str:
    escaped = text.translate(_ENTITIES)
    if _size(escaped) <= most:
        return escaped
    kept, size = [], 0
    for char in text:
        piece = char.translate(_ENTITIES)
        size += _size(piece)
        if size > most - 1:
            break
        kept.append(piece)
    return "".join(kept) + ELLIPSIS
