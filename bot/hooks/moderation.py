"""The callbacks of Live's content moderation: a picture or a sound that was flagged; pure.

Source: https://www.tencentcloud.com/document/product/267/38080
"""

import re
from collections.abc import Mapping
from typing import Any

from bot.hooks.fields import address_of, name_of
from bot.model.alerts import MODERATION, NamedStream, Notice, NoticeItem
from bot.model.storable import storable_text
from bot.redact import redact

KINDS: Mapping[int, str] = {317: "picture", 315: "sound"}
"""What was looked at, by `event_type`."""

_LABELS = {
    "porn": "Sexual content",
    "sexy": "Suggestive content",
    "terror": "Violence or terror",
    "terrorism": "Violence or terror",
    "polity": "Political content",
    "politics": "Political content",
    "illegal": "Illegal content",
    "abuse": "Abuse",
    "ad": "Advertising",
    "ads": "Advertising",
    "spam": "Spam",
    "moan": "Sexual sounds",
}
"""What Tencent Cloud's labels mean, by their name in lower case."""

_SUGGESTIONS = {"block": "Tencent suggests blocking it", "review": "Tencent suggests a review"}
_PASSED = "pass"
_TEXT_MOST = 300
_MOST_SCORE = 100.0
_WORD = re.compile(r"[A-Za-z][A-Za-z _-]{0,39}")


def parse(said: Mapping[str, Any], account: str, *, now: float) -> Notice | None:
    """Return the notice that a genuine callback is; None where it flags nothing.

    Args:
        account: Whose key signed it.
        now: Epoch seconds, where the callback does not say when it was.

    Raises:
        ValueError: It names no stream.
    """
    kind = KINDS[int(said["event_type"])]
    suggestion = _text(said.get("suggestion"), 20).casefold()
    if suggestion == _PASSED:
        return None
    stream = _name(said, "streamId", "stream_id", "channelId")
    if not stream:
        raise ValueError("it names no stream")
    domain, app = _name(said, "app").casefold(), _name(said, "appname", "appName")
    where = {"DomainName": domain, "AppName": app}
    params = {"StreamName": stream, **{name: value for name, value in where.items() if value}}
    label = _label(said.get("label")) or "Content"
    title = f"{label} in the {kind}"
    item = NoticeItem(
        key=f"{kind}:{label}",
        at=_time(said.get("sendTime")) or now,
        firing=True,
        title=title,
        streams=(NamedStream("DropLiveStream", params, account),),
        picture=address_of(said.get("img")) if kind == KINDS[317] else "",
    )
    return Notice(
        source=MODERATION,
        group=f"{account}\n{domain}\n{app}\n{stream}",
        items=(item,),
        title=title,
        summary=_summary(said, kind),
        severity=_SUGGESTIONS.get(suggestion, ""),
    )


def _summary(said: Mapping[str, Any], kind: str) -> str:
    """Return the score, what else the label says, and the words that were seen or heard."""
    score, sub = _score(said.get("score")), _text(said.get("subLabel"), 40)
    parts = [f"Score {score:.0f} of 100" if score is not None else "", sub]
    words = _text(said.get("ocrMsg") if kind == KINDS[317] else said.get("text"), _TEXT_MOST)
    quoted = f'{"Reads" if kind == KINDS[317] else "Heard"}: "{words}"' if words else ""
    return ". ".join(filter(None, (" · ".join(filter(None, parts)), quoted)))


def _label(value: object) -> str:
    """Return a label in words; one that is not known as it is, if it is a word."""
    named = _text(value, 40)
    return _LABELS.get(named.casefold()) or (named if _WORD.fullmatch(named) else "")


def _score(value: object) -> float | None:
    """Return the highest score of one or several; None where there is none."""
    given = value if isinstance(value, list) else [value]
    found = [
        float(one)
        for one in given[:20]
        if isinstance(one, int | float) and not isinstance(one, bool) and 0 <= one <= _MOST_SCORE
    ]
    return max(found, default=None)


def _time(value: object) -> float | None:
    """Return epoch seconds that are given as seconds or milliseconds, as number or text."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not re.fullmatch(r"[0-9]{1,13}", text, re.ASCII):
        return None
    return int(text) / 1000 if len(text) > 11 else float(text)  # noqa: PLR2004 (digits of seconds)


def _name(said: Mapping[str, Any], *names: str) -> str:
    """Return the first of some fields that holds a name."""
    return next((found for name in names if (found := name_of(said.get(name)))), "")


def _text(value: object, most: int) -> str:
    """Return a text without secrets; empty where it is none."""
    if not isinstance(value, str):
        return ""
    return redact(storable_text(" ".join(value.split())), most)
