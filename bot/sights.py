"""What a press will touch, as reads tell it: an answer in, sentences out; pure."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from bot.model import Action, Command, Json, Params, Sight
from bot.redact import redact

_MOST, _LONGEST = 10, 80
"""How many of a list are named, and how long a value may be."""


def narrowed(command: Command, read: Action) -> Params:
    """Give those of a command's parameters that a read of the same thing takes."""
    own = {p.api: command.action.param(p.api) for p in read.params}
    return {
        name: command.params[p.api]
        for name, p in own.items()
        if p is not None and p.api in command.params and not p.secret
    }


def of(command: Command, read: Action) -> Command:
    """Make a read of the thing that a command is about."""
    return Command(read, narrowed(command, read), command.region, command.account)


def told(read: Action, given: Params, body: Params | None) -> Iterator[Sight]:
    """Say what an answer tells; that it could not be read where there is none."""
    for tells in read.tells:
        if not given.keys() >= set(tells.given) or given.keys() & set(tells.open):
            continue
        if body is None:
            yield from [Sight(f"Could not be read: {tells.what}.")] if tells.what else []
            continue
        values = [_value(body, field) for field in tells.fields]
        if "" not in values:
            yield Sight(tells.words, tuple(values))


def unread() -> Sight:
    """Say that the state is not known though there is a read for it."""
    return Sight("Its state could not be read.")


def unshown(apis: Iterable[str]) -> Sight:
    """Say which reads a request leaves out."""
    return Sight("Not shown, as whoever asks may not read it: {}.", (", ".join(apis),))


def plain(sight: Sight) -> str:
    """Write it for the trail."""
    words = sight.words
    for value in sight.values:
        shown = value if isinstance(value, str) else _utc(value)
        words = words.replace("{}", shown.replace("{}", "{ }"), 1)
    return words


def _value(body: Params, field: str) -> str | float:
    """Give what a field of `Tells` names; empty where it is not there."""
    if field.startswith("@"):
        return _moment(next(_at(dict(body), field[1:].split(".")), None))
    parts = [_text(body, part) for part in field.split("/")]
    return "/".join(parts) if all(parts) else ""


def _text(body: Params, path: str) -> str:
    found = [one for one in _at(dict(body), path.split(".")) if one not in (None, "")]
    shown = [redact(str(one))[:_LONGEST] for one in found[:_MOST]]
    return ", ".join(shown + ["…"] * (len(found) > _MOST))


def _at(node: Json, path: list[str]) -> Iterator[Json]:
    if not path:
        if not isinstance(node, dict | list):
            yield node
        return
    name, *rest = path
    if isinstance(node, dict) and name in node:
        yield from _at(node[name], rest)
    elif isinstance(node, list):
        chosen = node if name == "*" else node[int(name) :][:1] if name.isdecimal() else []
        for one in chosen:
            yield from _at(one, rest)


def _moment(given: Json) -> str | float:
    """Read a time as Tencent Cloud writes it, UTC where it names no zone."""
    try:
        at = datetime.fromisoformat(str(given))
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return ""


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
