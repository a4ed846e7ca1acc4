"""Every regular expression of the program, how it is used, and texts made to slow it down."""

import ast
import functools
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from re import _parser  # type: ignore[attr-defined]  # (the standard library has no other)
from types import ModuleType
from typing import Any

import bot
import handlers

_ONCE = frozenset({"match", "fullmatch"})
_EVERYWHERE = frozenset({"search", "findall", "finditer", "sub", "subn", "split"})
_ALL = _ONCE | _EVERYWHERE


@dataclass(frozen=True, slots=True)
class Used:
    """A regular expression.

    Attributes:
        name: Where it stands.
        ways: The methods that the program calls.
    """

    name: str
    pattern: re.Pattern[Any]
    ways: frozenset[str]

    def run(self, text: str) -> None:
        """Use it on a text as the program does."""
        given = text.encode() if isinstance(self.pattern.pattern, bytes) else text
        if "match" in self.ways:
            self.pattern.match(given)
        if "fullmatch" in self.ways:
            self.pattern.fullmatch(given)
        if self.ways & _EVERYWHERE:
            for _ in self.pattern.finditer(given):
                pass


def modules() -> Iterator[ModuleType]:
    """Yield every module of the program but those that only Alembic can import."""
    for package in (bot, handlers):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.startswith("bot.storage.migrations."):
                yield importlib.import_module(found.name)


def every_pattern(package: str) -> list[Used]:
    """Return every regular expression that a package's modules hold, or write where it is used."""
    inside = (one for one in modules() if f"{one.__name__}.".startswith(f"{package}."))
    return [used for module in inside for used in _of(module)]


def unread() -> set[str]:
    """Return the expressions that are made of what only a call knows, with their modules."""
    return {
        f"{module.__name__}: {ast.unparse(given)}"
        for module in modules()
        for _, given in _written(module)
        if _value(module, given) is None
    }


def _of(module: ModuleType) -> Iterator[Used]:
    source = inspect.getsource(module)
    for name, value in vars(module).items():
        if not (patterns := _patterns(value)):
            continue
        called = _ALL & set(re.findall(rf"\b{re.escape(name)}\.(\w+)\(", source))
        for pattern in patterns:
            # One in a collection, or passed to a function, is matched where a value begins.
            yield Used(f"{module.__name__}.{name}", pattern, frozenset(called or _ONCE))
    for way, given in _written(module):
        if way != "compile" and isinstance(text := _value(module, given), str):
            pattern = re.compile(text, re.IGNORECASE)
            yield Used(f"{module.__name__}: {text[:40]}", pattern, frozenset({way}))


def _patterns(value: object) -> list[re.Pattern[Any]]:
    values = value.values() if isinstance(value, Mapping) else value
    if not isinstance(values, Iterable) or isinstance(values, str | bytes):
        values = (values,)
    return [one for one in values if isinstance(one, re.Pattern)]


@functools.cache
def _written(module: ModuleType) -> list[tuple[str, ast.expr]]:
    """Return each call of `re` with a pattern, and the pattern."""
    found: list[tuple[str, ast.expr]] = []
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name("re"), attr=way), args=[given, *_]) if (
                way in _ALL | {"compile"}
            ):
                found.append((way, given))
    return found


def _value(module: ModuleType, given: ast.expr) -> object:
    try:
        return eval(ast.unparse(given), dict(vars(module)))  # noqa: S307 (the program's own)
    except NameError:
        return None


# --- texts made of a pattern ---

_SIGNS = " \t\na0Z-_.:/,;=@<>&|!?\"'`\\%#*()[]{}\0\u200b\u65b0"
_ENDS = ("", "\0", "a")


def hostile(pattern: re.Pattern[Any]) -> Iterator[tuple[str, str, str]]:
    """Yield what a text that is slow to match may begin with, repeat, and end with."""
    source = pattern.pattern
    text = source.decode("latin-1") if isinstance(source, bytes) else source
    flags = pattern.flags & ~re.UNICODE if isinstance(source, bytes) else pattern.flags
    tree = _parser.parse(text, flags)
    alphabet = "".join(dict.fromkeys(chain(_literals(tree), _SIGNS)))
    if isinstance(source, bytes):
        alphabet = "".join(one for one in alphabet if one.isascii())
    writer = _Writer(alphabet)
    found = dict.fromkeys(writer.repeats(tree, ""))
    found |= dict.fromkeys(("", sign) for sign in alphabet)
    found |= dict.fromkeys(("", one) for one in writer.parts(tree))
    for before, repeated in found:
        for end in _ENDS:
            if repeated:
                yield before, repeated, end


def _literals(tree: Any) -> Iterator[str]:
    """Yield each character that a pattern names."""
    for kind, given in tree:
        name = str(kind)
        if name in ("LITERAL", "NOT_LITERAL"):
            yield chr(given)
        elif name == "RANGE":
            yield from map(chr, given)
        elif name == "IN":
            yield from _literals(given)
        else:
            for inner in _inside(given):
                yield from _literals(inner)


def _inside(given: Any) -> Iterator[Any]:
    """Yield the patterns inside an element."""
    if isinstance(given, _parser.SubPattern):
        yield given
    elif isinstance(given, list | tuple):
        for one in given:
            yield from _inside(one)


class _Writer:
    """Writes what parts of a pattern match, of the characters of an alphabet."""

    def __init__(self, alphabet: str) -> None:
        self._alphabet = alphabet

    def repeats(self, tree: Any, before: str) -> Iterator[tuple[str, str]]:
        """Yield each repeated part, with what stands before it."""
        for kind, given in tree:
            if str(kind).endswith("_REPEAT"):
                *_, body = given
                for text in self._bodies(body):
                    yield before, text
            for inner in _inside(given):
                yield from self.repeats(inner, before)
            before += self._text([(kind, given)])

    def parts(self, tree: Any) -> Iterator[str]:
        """Yield what the beginnings and the ends of a pattern match."""
        elements = [self._text([one]) for one in tree]
        for at in range(len(elements) + 1):
            yield "".join(elements[:at])
            yield "".join(elements[at:])
        for _, given in tree:
            for inner in _inside(given):
                yield from self.parts(inner)

    def _bodies(self, body: Any) -> Iterator[str]:
        if len(body) == 1 and str(body[0][0]) in ("IN", "NOT_LITERAL", "ANY"):
            yield from self._of_one(body[0])[:8]
        else:
            yield self._text(body)

    def _of_one(self, element: Any) -> list[str]:
        """Return the characters that an element for one matches."""
        kind, given = element
        name = str(kind)
        if name == "NOT_LITERAL":
            return [one for one in self._alphabet if ord(one) != given]
        if name == "ANY":
            return [one for one in self._alphabet if one != "\n"]
        negated = bool(given) and str(given[0][0]) == "NEGATE"
        return [
            one for one in self._alphabet if any(_holds(part, one) for part in given) != negated
        ]

    def _text(self, tree: Any) -> str:
        """Return a text that a pattern may match."""
        pieces: list[str] = []
        for kind, given in tree:
            match str(kind):
                case "LITERAL":
                    pieces.append(chr(given))
                case "IN" | "NOT_LITERAL" | "ANY":
                    pieces.append("".join(self._of_one((kind, given))[:1]))
                case "BRANCH":
                    pieces.append(self._text(given[1][0]))
                case "SUBPATTERN" | "ATOMIC_GROUP":
                    pieces += map(self._text, _inside(given))
                case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                    least, _, body = given
                    pieces.append(self._text(body) * max(1, min(least, 20)))
                case "GROUPREF_EXISTS":
                    pieces.append(self._text(given[1]))
        return "".join(pieces)


def _holds(part: Any, char: str) -> bool:
    """Return whether a part of a set holds a character."""
    kind, given = part
    match str(kind):
        case "LITERAL":
            return bool(ord(char) == given)
        case "RANGE":
            return bool(given[0] <= ord(char) <= given[1])
        case "CATEGORY":
            sign = str(given).removeprefix("CATEGORY_").replace("NOT_", "")
            inside = {"DIGIT": char.isdigit(), "SPACE": char.isspace()}.get(
                sign, char.isalnum() or char == "_"
            )
            return inside != ("NOT_" in str(given))
    return False
