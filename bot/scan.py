"""Cuts what people type into words and `name=value` pairs, as phones and Slack deform it."""

import html
import re
from dataclasses import dataclass

from bot.errors import ParseError

_CLOSES = {'"': '"', "'": "'", "“": "”", "”": "”", "„": "“", "‘": "’", "’": "’", "«": "»"}
_SAME_CLOSE = {"”": '”"', "’": "’'", "“": "“”", "»": "»", '"': '"”', "'": "'’"}
_BLANKS = re.compile("[\u200b\u200c\u200d\u2060\ufeff\u00ad]")
_SPACES = re.compile(r"[\s\u00a0\u2000-\u200a\u202f\u3000]")
_DASHES = re.compile(r"(?:--|—|–|―)(?=[A-Za-z])")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_SLACK = re.compile(r"<(?:(?P<link>[^<>|\s]+)\|(?P<label>[^<>]*)|(?P<bare>[^<>|\s]+))>")


@dataclass(frozen=True, slots=True)
class Token:
    """One word, or one `name=value`.

    Attributes:
        name: Empty for a bare word.
        start, end: Where it stands in the scanned text.
        value_start: Where its value begins.
    """

    name: str
    value: str
    start: int
    end: int
    value_start: int


def plain(text: str) -> str:
    """Undo what Slack does to text: links, mentions, escapes, invisible characters."""
    shown = _SLACK.sub(_unlinked, text)
    return _BLANKS.sub("", html.unescape(shown)).replace("`", "").strip()


def _unlinked(found: re.Match[str]) -> str:
    link, label = found["link"] or found["bare"], found["label"]
    if link.startswith(("#", "@", "!")):
        return link[:1] + link[1:] if label is None else link
    if label is None:
        return link.removeprefix("mailto:")
    # Slack links bare host names by itself: what was typed is the label.
    typed = link.partition("://")[2].rstrip("/")
    return label if label in (typed, link.removeprefix("mailto:")) else link


def scan(text: str) -> list[Token]:
    """Cut a plain text.

    Raises:
        ParseError: A quote is not closed, or a name has no value.
    """
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        if _SPACES.match(text[at]):
            at += 1
            continue
        token = _token(text, at)
        tokens.append(token)
        at = max(token.end, at + 1)
    return tokens


def _token(text: str, start: int) -> Token:
    dashes = _DASHES.match(text, start)
    name_at = dashes.end() if dashes else start
    name = _NAME.match(text, name_at)
    if name and name.end() < len(text) and text[name.end()] == "=":
        value, end = _value(text, name.end() + 1)
        return Token(name[0], value, start, end, name.end() + 1)
    if dashes and name and (name.end() == len(text) or _SPACES.match(text[name.end()])):
        return _after_dashes(text, start, name)
    value, end = _value(text, start)
    return Token("", value, start, end, start)


def _after_dashes(text: str, start: int, name: re.Match[str]) -> Token:
    at = name.end()
    while at < len(text) and _SPACES.match(text[at]):
        at += 1
    if at >= len(text) or _DASHES.match(text, at):
        if name[0].lower() == "help":
            return Token("", "help", start, name.end(), start)
        raise ParseError(f'"{name[0]}" has no value.', text=text, start=start, end=name.end())
    value, end = _value(text, at)
    return Token(name[0], value, start, end, at)


def _value(text: str, at: int) -> tuple[str, int]:
    """Read one value, which may be quoted in part; give it and where it ends."""
    parts: list[str] = []
    while at < len(text) and not _SPACES.match(text[at]):
        if text[at] in _CLOSES and not parts:
            closing = _SAME_CLOSE.get(_CLOSES[text[at]], _CLOSES[text[at]])
            end = next((i for i in range(at + 1, len(text)) if text[i] in closing), -1)
            if end < 0:
                raise ParseError("This quote is not closed.", text=text, start=at, end=len(text))
            parts.append(text[at + 1 : end])
            at = end + 1
        else:
            parts.append(text[at])
            at += 1
    return "".join(parts), at
