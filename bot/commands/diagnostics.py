"""Parse errors: where they point, and what they must not show."""

import unicodedata
from collections.abc import Set as AbstractSet
from typing import Self, TypeAlias

from bot.errors import ParseError
from bot.redact import HIDDEN, redact

Span: TypeAlias = tuple[int, int]


class CommandError(ParseError):
    """A parse error that may still contain secrets.

    Attributes:
        hidden: Spans of `text` that must not be shown.
        alternatives: Commands that may be meant, as unescaped texts with their verb.
        verbatim: The end of the sentence that holds nothing typed, and so is not redacted.
        keys: Values that neither the sentence nor a command may show.
    """

    def __init__(
        self,
        sentence: str,
        *,
        text: str,
        start: int,
        end: int,
        suggestion: str = "",
        hidden: AbstractSet[Span] = frozenset(),
        verbatim: str = "",
    ) -> None:
        super().__init__(sentence, text=text, start=start, end=end, suggestion=suggestion)
        self.hidden = frozenset(hidden)
        self.verbatim = verbatim
        self.alternatives: tuple[str, ...] = ()
        self.keys: frozenset[str] = frozenset()


class hiding:  # noqa: N801 (used like a function, as contextlib's own)
    """Adds spans to those that a parse error must not show.

    Attributes:
        spans: Those that are hidden now; more or fewer may be as parsing goes on.
    """

    __slots__ = ("spans",)

    def __init__(self, spans: frozenset[Span]) -> None:
        self.spans = spans

    def __enter__(self) -> Self:
        """Do nothing yet."""
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Add them to an error on its way."""
        if isinstance(error, CommandError):
            error.hidden |= self.spans


def redact_error(error: CommandError) -> ParseError:
    """Return a parse error without stream keys and hidden spans, its place adjusted."""
    text, start, end = error.text, error.start, error.end
    for first, last in sorted(_merged(error.hidden), reverse=True):
        text = text[:first] + HIDDEN + text[last:]
        start = _moved(start, first, last, inside=first)
        end = _moved(end, first, last, inside=first + len(HIDDEN))
    whole, head, tail = redact(text), redact(text[:start]), redact(text[end:])
    if not (whole.startswith(head) and whole.endswith(tail)) or len(head + tail) > len(whole):
        # A secret crosses the edge of the place: better all of the text than a wrong place.
        head, tail = "", ""
    verbatim = error.verbatim if error.sentence.endswith(error.verbatim) else ""
    sentence = error.sentence.removesuffix(verbatim)
    for key in sorted(error.keys, key=len, reverse=True):
        sentence = sentence.replace(key, HIDDEN)
    return ParseError(
        redact(sentence) + verbatim,
        text=whole,
        start=len(head),
        end=len(whole) - len(tail),
        suggestion=redact(error.suggestion),
        at=error.at,
    )


def _merged(spans: AbstractSet[Span]) -> list[Span]:
    """Return spans that do not overlap, and cover the same."""
    found: list[Span] = []
    for first, last in sorted(spans):
        if found and first < found[-1][1]:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found


def _moved(at: int, first: int, last: int, *, inside: int) -> int:
    """Return a position after a span was replaced by `[hidden]`."""
    if at <= first:
        return at
    return inside if at < last else at + len(HIDDEN) - (last - first)


def caret(error: ParseError, width: int = 72) -> str:
    """Return the text with the error underlined: two lines for a monospaced font.

    A longer text is cut to `width` characters around the place; control characters and line
    ends are replaced by symbols.
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
    """Return the width of a text: Chinese and most emoji take two columns, a lone accent none."""
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )


def printable(text: str) -> str:
    """Return typed text for one line of a sentence, without keys, and not too long."""
    text = "".join(char if char.isprintable() else "·" for char in redact(text))
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"


_LONGEST_SHOWN = 60
