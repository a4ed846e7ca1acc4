"""Cuts what people type into words and `name=value` pairs, as phones and Slack deform it.

The ways back stand here too: a command written so that it is read as itself, and a mistake
shown at its place.
"""

import re
import unicodedata
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from bot.errors import ParseError
from bot.model.actions import DEFAULT, Action, Effect, Json, Site
from bot.model.commands import Command
from bot.redact import HIDDEN, redact

# Phones turn one quote into another, so each pair may be closed by its cousins.
_CLOSES = {
    '"': '"”',
    "“": '”"',
    "”": '”"',
    "„": "“”",
    "«": "»",
    "'": "'’",
    "‘": "’'",
    "’": "’'",
}
_APOSTROPHES = frozenset("'’")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">"}
_ENTITY = re.compile("|".join(_ENTITIES))
# Never across a double quote: in an address of Slack's it is percent-encoded.
_SLACK = re.compile(r'<(?P<link>[^<>|\s"]+)(?:\|(?P<label>[^<>"]*))?>')
_DASHES = re.compile(r"(?:--|—|–|―)(?=[A-Za-z])")
SENTENCE_ENDS = ".,!:"
"""What ends a sentence rather than a name, where the name is not quoted."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_DRY = re.compile(r"(?:--|—|–|―)dry[-_]?run$", re.IGNORECASE)
_DRY_NAMES = frozenset({"dry-run", "dry_run", "dryrun"})
_YES = frozenset({"yes", "true", "on", "1"})
_BARE = re.compile(r"[^\s<&`\"'“”„‘’«»][^\s<&`]*")
# A quoted piece; it ends after what `plain` would take for the beginning of a link or an escape.
_PIECE = re.compile(r'["”]+|(?:[^"”<&]|&(?!(?:amp|lt|gt);))+[<&]?|[<&]')
_TICK = "`"


@dataclass(frozen=True, slots=True)
class Token:
    """One word, or one `name=value`.

    Attributes:
        name: As typed, without dashes; empty for a bare word.
        value: Empty for a name that none follows.
        start, end: Where all of it stands in the scanned text.
        name_start, value_start: Where its parts begin.
        quoted: The value was quoted, so it is meant literally.
    """

    name: str
    value: str
    start: int
    end: int
    name_start: int
    value_start: int
    quoted: bool = False


def unescape(text: str) -> str:
    """Undo what Slack and phones do to text: links, mentions, escapes, odd and invisible spaces.

    A link that Slack made by itself becomes what was typed; any other becomes its address.
    """
    shown = _ENTITY.sub(lambda found: _ENTITIES[found[0]], _SLACK.sub(_unlinked, text))
    shown = _SPACES.sub(" ", _INVISIBLE.sub("", shown))
    return _SURROGATES.sub("\ufffd", shown).strip()


def _unlinked(found: re.Match[str]) -> str:
    link, label = found["link"], found["label"]
    scheme, _, rest = link.partition(":")
    if scheme in ("mailto", "tel"):
        return label or rest
    # `http://a.b|a.b`: Slack links bare host names by itself; what was typed is the label.
    return label if label and label == rest.removeprefix("//").rstrip("/") else link


def tokenize(text: str) -> list[Token]:
    """Cut a plain text.

    Raises:
        ParseError: A quote is not closed.
    """
    return list(_tokens(text))


def without_dry_run(text: str) -> tuple[str, bool]:
    """Take the wish for a dry run out of a text as it came, and say whether it was there.

    What is quoted, or the value of a name, is no wish. A text that cannot be cut stays as it is.
    """
    if "dry" not in text.casefold():
        return text, False
    shown = unescape(text)
    try:
        spans = [span for token in _tokens(shown) if (span := _dry(shown, token))]
    except ParseError:
        return text, False
    if not spans:
        return text, False
    for start, end in reversed(spans):
        shown = shown[:start] + shown[end:]
    for escaped, sign in _ENTITIES.items():
        # The ampersand comes first: what is read again must be what was read here.
        shown = shown.replace(sign, escaped)
    return shown.strip(), True


def _dry(text: str, token: Token) -> tuple[int, int] | None:
    """Say where a token asks for a dry run; None where it does not."""
    if not token.name:
        return (token.start, token.end) if not token.quoted and _DRY.match(token.value) else None
    if token.name.casefold() not in _DRY_NAMES:
        return None
    end = token.name_start + len(token.name)
    if text[end : end + 1] != "=":
        # What follows a bare `--dry-run` is the next word, and no value of it.
        return token.start, end
    return (token.start, token.end) if token.value.casefold() in _YES else None


def _tokens(text: str) -> Iterator[Token]:
    at = _past_space(text, 0)
    while at < len(text):
        token = _token(text, at)
        if token.name or token.value or token.quoted:
            yield token
        at = _past_space(text, max(token.end, at + 1))


def _token(text: str, start: int) -> Token:
    at = _past_ticks(text, start)
    dashes = _DASHES.match(text, at)
    name_at = dashes.end() if dashes else at
    found = _NAME.match(text, name_at)
    if found is None:
        return _bare(text, start, at)
    name, after = found[0], found.end()
    if text[after : after + 1] == "=":
        return _named(text, name, start, name_at, after + 1)
    if dashes and _ends(text, after):
        value_at = _past_space(text, after)
        if name.casefold() == "help" or _ends(text, value_at) or _DASHES.match(text, value_at):
            return Token(name, "", start, after, name_at, after)
        return _named(text, name, start, name_at, value_at)
    return _bare(text, start, at)


def _bare(text: str, start: int, at: int) -> Token:
    value, end, quoted = _value(text, at)
    return Token("", value, start, end, start, at, quoted)


def _named(text: str, name: str, start: int, name_at: int, at: int) -> Token:
    value, end, quoted = _value(text, _past_ticks(text, at))
    return Token(name, value, start, end, name_at, at, quoted)


def _value(text: str, at: int) -> tuple[str, int, bool]:
    """Read quoted pieces, as many as touch, and what touches them unquoted; say where it ends."""
    pieces: list[str] = []
    while text[at : at + 1] in _CLOSES:
        end = _closing(text, at)
        pieces.append(text[at + 1 : end])
        at = end + 1
    start = at
    while not _ends(text, at):
        at += 1
    bare = text[start:at].rstrip(_TICK)
    pieces.append(bare if not pieces or bare.strip(SENTENCE_ENDS) else "")
    return "".join(pieces), at, len(pieces) > 1


def _closing(text: str, at: int) -> int:
    """Find the end of a quote; an apostrophe inside a word is none."""
    for end in range(at + 1, len(text)):
        char = text[end]
        inside = char in _APOSTROPHES and text[end + 1 : end + 2].isalnum()
        if char in _CLOSES[text[at]] and not inside:
            return end
    raise ParseError("This quote is not closed.", text=text, start=at, end=len(text))


def _ends(text: str, at: int) -> bool:
    return at >= len(text) or text[at].isspace()


def _past_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _past_ticks(text: str, at: int) -> int:
    while text[at : at + 1] == _TICK:
        at += 1
    return at


# --- the ways back -----------------------------------------------------------------


def quoted(value: str) -> str:
    """Write a value so that after `name=` it is read as itself, whether Slack escapes it or not."""
    if _BARE.fullmatch(value) and value[-1] not in SENTENCE_ENDS:
        return value
    pieces = _PIECE.findall(value)
    return "".join(f"'{one}'" if one[0] in '"”' else f'"{one}"' for one in pieces) or '""'


def format_command(command: Command) -> str:
    """Write a command so that reading it gives the same command; secret values are hidden."""
    words = [command.action.api]
    for param in command.action.params:
        value = command.params.get(param.api)
        if value is not None:
            words.append(f"{param.api}={HIDDEN if param.secret else quoted(_written(value))}")
    if command.region:
        words.append(f"Region={command.region}")
    if command.account != DEFAULT:
        words.append(f"Account={quoted(command.account)}")
    return " ".join(words)


def _written(value: Json) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def example(action: Action, site: Site | None = None) -> str:
    """Write a command that could be pasted, with a made-up value for each needed parameter.

    Its region is one of the site; without one, of the product's own.
    """
    site = site or action.product.site
    values: list[str] = []
    for param in action.params:
        if param.required and param.default is None and param.only in (None, site):
            value = param.example or param.type.example or f"{param.word}1"
            values.append(f"{param.word}={value}" if values else value)
    regions = (action.regions or {}).get(site, ())
    values += [f"region={regions[-1]}"] if regions else []
    return " ".join([beginning(action), *values])


def beginning(action: Action) -> str:
    """Write how a command for an action begins, e.g. `/stopstream live`."""
    match action.effect:
        case Effect.START:
            return f"/startstream {action.words}"
        case Effect.READ:
            return f"/stopstream status {action.words}"
        case Effect.CHANGE:
            # No verb of its own leads to a change, so it goes by its API name.
            return f"/stopstream {action.words if action.product.local else action.api}"
        case Effect.STOP:
            return f"/stopstream {action.words}"


def redact_error(
    error: ParseError, spans: AbstractSet[tuple[int, int]], ours: str = ""
) -> ParseError:
    """Take stream keys, and whatever stands in the spans, out of a mistake; its place stays.

    What the sentence ends with stays as it is where it is `ours`.
    """
    text, start, end = error.text, error.start, error.end
    for first, last in sorted(spans, reverse=True):
        text = text[:first] + HIDDEN + text[last:]
        start = _moved(start, first, last, inside=first)
        end = _moved(end, first, last, inside=first + len(HIDDEN))
    whole, head, tail = redact(text), redact(text[:start]), redact(text[end:])
    if not (whole.startswith(head) and whole.endswith(tail)) or len(head + tail) > len(whole):
        # A secret crosses the edge of the place: rather all of it than a wrong one.
        head, tail = "", ""
    ours = ours if error.sentence.endswith(ours) else ""
    return ParseError(
        redact(error.sentence.removesuffix(ours)) + ours,
        text=whole,
        start=len(head),
        end=len(whole) - len(tail),
        suggestion=redact(error.suggestion),
        at=error.at,
    )


def _moved(at: int, first: int, last: int, *, inside: int) -> int:
    """Say where a place comes to lie when a span becomes `[hidden]`."""
    if at <= first:
        return at
    return inside if at < last else at + len(HIDDEN) - (last - first)


def caret(error: ParseError, width: int = 72) -> str:
    """Show the text with its mistaken part underlined: two lines for a monospaced font.

    A longer text is shown for `width` characters around the place; control characters and
    line ends are shown as signs.
    """
    text = "".join(map(_visible, error.text))
    first = max(0, min(error.start - width // 3, len(text) - width))
    last = min(len(text), first + width)
    before = ("…" if first else "") + text[first : error.start]
    shown = ("…" if first else "") + text[first:last] + ("…" if last < len(text) else "")
    length = max(1, _columns(text[error.start : min(error.end, last)]))
    return f"{shown}\n{' ' * _columns(before)}{'^' * length}"


def _visible(char: str) -> str:
    if char.isprintable():
        return char
    return chr(0x2400 + ord(char)) if char < " " else "·"


def _columns(text: str) -> int:
    """Count columns: Chinese and most emoji take two, an accent of its own none."""
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )
