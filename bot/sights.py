"""What a press will touch, as reads tell it: an answer in, sentences out; pure."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from bot.model import Action, Command, Json, Params, Running, Sight
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


def completed(read: Action, given: Params, now: float) -> Params:
    """Add the defaults of what a read demands besides."""
    needed = {p.api: p.left_out(now) for p in read.params if p.required and p.default is not None}
    return {**needed, **given}


def told(read: Action, given: Params, body: Params | None, now: float) -> Iterator[Sight]:
    """Say what an answer tells; that it could not be read where there is none."""
    for tells in read.tells:
        if not given.keys() >= set(tells.given) or given.keys() & set(tells.open):
            continue
        left = body
        if tells.running and body is not None:
            left = _under_way(tells.running, body, now)
        values = [_value(left, field) for field in tells.fields] if left is not None else []
        if tells.running and left is not None and not left[tells.running.rows]:
            yield Sight(tells.none)
        elif values and "" not in values:
            yield Sight(tells.words, tuple(values))
        elif (left is None or tells.running) and tells.what:
            yield Sight(f"Could not be read: {tells.what}.")


def unread() -> Sight:
    """Say that the state is not known though there is a read for it."""
    return Sight("Its state could not be read.")


def unshown(apis: Iterable[str]) -> Sight:
    """Say which reads a request leaves out."""
    return Sight("Not shown, as whoever asks may not read it: {}.", (", ".join(apis),))


def unreadable() -> Sight:
    """Say that nothing tells what a press will touch."""
    return Sight("What it will touch cannot be read beforehand.")


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


def _under_way(running: Running, body: Params, now: float) -> Params | None:
    """Leave of a list what runs now; None where the answer does not settle what that is."""
    # An empty list may come as null; none at all is no answer.
    rows = body.get(running.rows, "")
    left: list[Json] = []
    if not isinstance(rows, list | None):
        return None
    for row in rows or ():
        of = row if isinstance(row, dict) else {}
        begins, ends, ended = (of.get(n) for n in (running.begins, running.ends, running.ended))
        if not isinstance(begins, int) or not isinstance(ends, int) or not isinstance(ended, int):
            return None
        left += [row] if begins <= now < ends and not ended else []
    unsettled = not left and body.get(running.more)
    return None if unsettled else {**body, running.rows: left}


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
