"""Which names may be meant by one that somebody typed; pure."""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

_ALIKE = 3
"""How many names are returned, at most."""

_NEAR = 0.7
"""How similar the words of a misspelt name are, by difflib's ratio, at least."""

_COMPARED = 100
"""Characters of a name that are searched for slips; that takes time by their square."""

_SHORTEST = 3
"""Characters of a name that is compared as the beginning or the end of another, at least."""


def near_names(name: str, others: Iterable[str]) -> tuple[str, ...]:
    """Return the names that may be meant by another one, the most similar first.

    Names are compared without regard to case, width, accents, separators, leading zeros and
    letters that look alike; then by how they begin or end; then by the slips of fingers. Names of
    a series, like cam-1 and cam-2, or cam-1 and cam-10, do not match each other.

    It takes about 20 µs for each of the others.
    """
    typed = _Typed(name)
    ranked = {other: typed.rank(other) for other in others if other != name}
    found = [(rank, -_ratio(name, other), other) for other, rank in ranked.items() if rank]
    return tuple(other for *_, other in sorted(found))[:_ALIKE]


class _Typed:
    """A name, folded once for all that it is compared with."""

    def __init__(self, name: str) -> None:
        self._skeletons = _skeletons(name)
        self._plain = _plain(name)
        self._words = _words(name)

    def rank(self, other: str) -> int:
        """Return how another name matches: 1 is the closest, 0 not at all."""
        if not self._skeletons.isdisjoint(_skeletons(other)):
            return 1
        if _begins_or_ends(self._plain, _plain(other)):
            return 2
        return 3 if _mistyped(self._words, _words(other)) else 0


def _ratio(name: str, other: str) -> float:
    first, second = (_folded(one)[:_COMPARED] for one in (name, other))
    return difflib.SequenceMatcher(None, first, second).ratio()


# --- one name, folded ---


def _skeletons(name: str) -> frozenset[str]:
    """Return what is left of a name without what people confuse.

    Letters may look alike before their case is folded or after it, and a zero may be a leading
    one or a letter O: names match if they are equal in one of these ways.
    """
    folded = {_folded(name), _folded(_as_latin(name))}
    ways = folded | {_without_zeros(one) for one in folded}
    found = {_as_latin(_joined(one)).translate(_DIGIT_SHAPES) for one in ways}
    return frozenset(found - {""})


def _plain(name: str) -> str:
    """Return a name as one run, whose digits are still digits."""
    return _joined(_without_zeros(_folded(_as_latin(name))))


def _words(name: str) -> list[str]:
    return _WORDS.findall(_folded(_as_latin(name))[:_COMPARED])


def _folded(name: str) -> str:
    """Return a name without case, width, accents and invisible characters."""
    if name.isascii():
        # Most are: these have neither width nor accents, and no letters that look alike.
        return name.lower().translate(_CONTROLS)
    folded = unicodedata.normalize("NFKC", name).casefold()
    parts = unicodedata.normalize("NFKD", folded)
    seen = "".join(one for one in parts if unicodedata.category(one) not in _INVISIBLE)
    return unicodedata.normalize("NFC", seen)


def _without_zeros(folded: str) -> str:
    return _LEADING_ZEROS.sub("", folded)


def _joined(folded: str) -> str:
    """Return a name without separators; between digits one stays: 1-1 is not 11."""
    return _SEPARATORS.sub(lambda found: "-" if found["between"] else "", folded)


def _as_latin(name: str) -> str:
    if name.isascii():
        return name
    return unicodedata.normalize("NFKC", name).translate(_LETTER_SHAPES)


_INVISIBLE = frozenset({"Mn", "Me", "Cf", "Cc"})
_CONTROLS = dict.fromkeys([*range(0x20), 0x7F])
_LEADING_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")
_SEPARATORS = re.compile(r"(?P<between>(?<=\d)[\W_]+(?=\d))|[\W_]+")

_LETTER_SHAPES = {
    ord(shape): latin
    for latin, shapes in {
        "A": "\u0391\u0410",
        "B": "\u0392\u0412",
        "C": "\u03f9\u0421",
        "E": "\u0395\u0415",
        "H": "\u0397\u041d",
        "I": "\u0399\u0406\u04c0",
        "J": "\u0408",
        "K": "\u039a\u041a",
        "M": "\u039c\u041c",
        "N": "\u039d",
        "O": "\u039f\u041e",
        "P": "\u03a1\u0420",
        "S": "\u0405",
        "T": "\u03a4\u0422",
        "X": "\u03a7\u0425",
        "Y": "\u03a5\u0423\u04ae",
        "Z": "\u0396",
        "a": "\u03b1\u0430",
        "b": "\u03b2\u0432",
        "c": "\u03f2\u0441",
        "d": "\u0501",
        "e": "\u03b5\u0435",
        "h": "\u043d\u04bb",
        "i": "\u03b9\u0456\u0131\u04cf",
        "j": "\u0458",
        "k": "\u03ba\u043a",
        "m": "\u03bc\u043c",
        "o": "\u03bf\u043e",
        "p": "\u03c1\u0440",
        "q": "\u051b",
        "s": "\u0455",
        "t": "\u03c4\u0442",
        "u": "\u03c5",
        "v": "\u03bd",
        "w": "\u03c9\u051d",
        "x": "\u03c7\u0445",
        "y": "\u0443\u04af",
        "z": "\u03b6",
    }.items()
    for shape in shapes
}
"""Greek and Cyrillic letters by the Latin one that they look like.

Source: https://www.unicode.org/Public/security/latest/confusables.txt
"""

_DIGIT_SHAPES = str.maketrans("01i|", "olll")
"""0 and O; 1, l and I."""


# --- two names ---


def _begins_or_ends(name: str, other: str) -> bool:
    """Return whether one name is how the other begins or ends, and no number is cut in two."""
    short, long = sorted((name, other), key=len)
    if len(short) < _SHORTEST or len(short) == len(long):
        return False
    begins = long.startswith(short) and not long[len(short) - 1 : len(short) + 1].isdecimal()
    at = len(long) - len(short)
    ends = long.endswith(short) and not long[at - 1 : at + 1].isdecimal()
    return begins or ends


def _mistyped(words: Sequence[str], others: Sequence[str]) -> bool:
    """Return whether there are equally many words, each similar to the other's."""
    if len(words) != len(others) or words == others:
        return False
    return all(map(_similar, words, others))


# Names that are listed together have most of their words in common.
@lru_cache(1024)
def _similar(word: str, other: str) -> bool:
    if word == other:
        return True
    compared = difflib.SequenceMatcher(None, word, other)
    # The first two are bounds of the third, and take a fraction of its time.
    ratios = compared.real_quick_ratio, compared.quick_ratio, compared.ratio
    return all(ratio() >= _NEAR for ratio in ratios)


_WORDS = re.compile(r"[^\W\d_]+")
