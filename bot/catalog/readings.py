"""Readings: sentences about the response of a read, for previews and results; pure."""

import json
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from bot.model.actions import Action, ActiveRows, EffectSpec, Json, Params, Reading
from bot.model.commands import Command
from bot.redact import HIDDEN, redact
from bot.times import format_utc, parse_instant

_LONGEST_LIST, _MOMENT = 1200, 70
"""Characters of a list in a result, and of a time in it as Slack formats it."""

_AFTER_ALL_TIME = 253_402_300_800
"""Epoch seconds at the end of the year 9999."""

_MOST, _LONGEST = 10, 80
"""Items of a list that are named, and characters of a value."""

_UNSHOWN = "Not shown, because the asker may not read it: {}."
"""Stored with operations that wait: a change would not be known of those."""


def narrowing_params(command: Command, read: Action) -> Params:
    """Return those of a command's parameters that a read of the same resource takes."""
    own = {p.api: command.action.param(p.api) for p in read.params}
    return {
        name: command.params[p.api]
        for name, p in own.items()
        if p is not None and p.api in command.params and not p.secret
    }


def complete_params(read: Action, given: Params, now: float) -> Params:
    """Return parameters with the defaults of the others that a read requires."""
    needed = {
        p.api: p.default_value(now) for p in read.params if p.required and p.default is not None
    }
    return {**needed, **given}


def describe(read: Action, given: Params, body: Params | None, now: float) -> Iterator[Reading]:
    """Yield the readings of a response, or that it could not be read if there is none."""
    for template in read.readings:
        if not given.keys() >= set(template.given) or given.keys() & set(template.not_given):
            continue
        left = body
        if template.active and body is not None:
            left = _active(template.active, body, now)
        values = [_value(left, field) for field in template.fields] if left is not None else []
        if template.active and left is not None and not left[template.active.rows]:
            yield Reading(template.empty)
        elif values and "" not in values:
            yield Reading(template.words, tuple(values))
        elif (left is None or template.active) and template.subject:
            yield Reading(f"Could not be read: {template.subject}.")


def unread() -> Reading:
    """Return the reading of a state that could not be read."""
    return Reading("Its state could not be read.")


def unshown(apis: Iterable[str]) -> Reading:
    """Return the reading of those reads that the requester may not make."""
    return Reading(_UNSHOWN, (", ".join(apis),))


def is_unshown(reading: Reading) -> bool:
    """Return whether a reading says that the requester may not make some reads."""
    return reading.words == _UNSHOWN


def unreadable() -> Reading:
    """Return the reading of an action whose impact cannot be read."""
    return Reading("What it will touch cannot be read beforehand.")


def answered(read: Action, params: Params, body: Params) -> Iterator[Reading]:
    """Yield the readings of a read's result: the state or list first, then other fields as is."""
    said = {param.api for param in read.params if param.api.startswith("Page")}
    if read.effect_spec.lists:
        said |= set(read.effect_spec.lists) | set(read.effect_spec.counts)
        for field, states in read.effect_spec.lists.items():
            if body.keys().isdisjoint((field, *read.effect_spec.counts)):
                continue
            reading, whole = _listed(read.effect_spec, (field, states), params, body)
            said |= {"TotalPage"} if whole else set()
            yield reading
    elif not read.effect_spec.counts:
        state, target = read.effect_spec.read_state(body), _target(read, params)
        if state and target:
            said |= {(read.effect_spec.state_field or ("", ""))[0]}
            said |= {name for name, of in read.effect_spec.echoes.items() if of in params}
            yield Reading("{} is {}.", (redact(target, _LONGEST), redact(state, _LONGEST)))
    yield from _rest(read, body, said)


def _target(read: Action, params: Params) -> str:
    return Command(read, params).target


_NOW = {"active": "live", "on": "behind the pad", "set": "delayed"}
"""Words for a state, in the heading of a list."""


def _listed(
    spec: EffectSpec, of_what: tuple[str, tuple[str, ...]], params: Params, body: Params
) -> tuple[Reading, bool]:
    """Return the resources of a list, as many as fit, and whether those are all."""
    field, states = of_what
    found = body.get(field)
    rows = [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
    counted = (body.get(name) for name, of in spec.counts.items() if of == states)
    total = max([len(rows), *(count for count in counted if isinstance(count, int))])
    one, *others = states
    are = "found" if others else f"{'are' if total > 1 else 'is'} {_NOW.get(one, one)}"
    if not total:
        return Reading(f"None {are}."), True
    apart = len({_of_key(spec, row)[1:] for row in rows}) > 1
    words: list[str] = []
    values: list[str | float] = []
    size = 0
    for row in rows:
        named, of = _row(spec, row, params, apart=apart)
        size += sum(len(value) if isinstance(value, str) else _MOMENT for value in of)
        if words and size > _LONGEST_LIST:
            break
        words.append(named)
        values += of
    more = [f"{total - len(words)} more"] if words and total > len(words) else []
    told = " and ".join([", ".join(words), *more])
    return Reading(f"{total} {are}{told and f': {told}'}.", tuple(values)), total == len(rows)


def _of_key(spec: EffectSpec, row: Params) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in spec.key if row.get(name) not in (None, ""))


def _row(
    spec: EffectSpec, row: Params, params: Params, *, apart: bool
) -> tuple[str, list[str | float]]:
    """Return one resource's name; with its whole key if several differ in more than the name."""
    name, *where = _of_key(spec, row) or (json.dumps(row, ensure_ascii=False),)
    shown = "/".join([*where, name] if apart else [name])
    values: list[str | float] = [redact(shown, _LONGEST)]
    notes: list[str] = []
    since = listed_since(spec, row)
    if since is not None:
        notes.append("since {}")
        values.append(since)
    between = spec.between or ("", "")
    times = (("from", between[0]), ("until", between[1]), ("stopped", spec.ended))
    for word, field in times:
        at = row.get(field)
        if isinstance(at, int) and 0 < at < _AFTER_ALL_TIME:
            notes.append(f"{word} {{}}")
            values.append(float(at))
    for field, param in spec.echoes.items():
        of = "" if field in between else _value(row, field)
        if of not in ("", str(params.get(param))):
            notes.append(f"{field} {{}}")
            values.append(of)
    return f"{{}} ({', '.join(notes)})" if notes else "{}", values


def _rest(read: Action, body: Params, said: AbstractSet[str]) -> Iterator[Reading]:
    """Yield the remaining fields by Tencent's names, the one with the state first."""
    first = (read.effect_spec.state_field or ("", ""))[0]
    fields = [one for name in sorted(body) for one in _leaves(name, body[name])]
    left = sorted((one for one in fields if one[0] not in said), key=lambda one: one[0] != first)
    if not left:
        return
    more = " (more is left out)" if len(left) > _MOST else ""
    words = ", ".join(["{} is {}"] * len(left[:_MOST]))
    values = [value for field in left[:_MOST] for value in _raw(*field)]
    yield Reading(f"{words}{more}.", tuple(values))


def _leaves(name: str, given: Json) -> Iterator[tuple[str, Json]]:
    if not isinstance(given, dict):
        # Empty fields are left out.
        yield from [(name, given)] if given not in (None, "") else []
        return
    for inner in sorted(given):
        yield from _leaves(f"{name}.{inner}", given[inner])


def _raw(name: str, given: Json) -> tuple[str, str]:
    """Return a field as it is, hidden if its name is that of a secret."""
    text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    # How it ends tells; it may be a megabyte long.
    named = f"{name[-_LONGEST:]}=x"
    hides = redact(named) != named
    return name[:_LONGEST], HIDDEN if hides and text else redact(text, 2 * _LONGEST)


def to_text(reading: Reading) -> str:
    """Return a reading as text for the audit log."""
    words = reading.words
    for value in reading.values:
        shown = value if isinstance(value, str) else format_utc(value)
        words = words.replace("{}", shown.replace("{}", "{ }"), 1)
    return words


def listed_since(spec: EffectSpec, row: Params) -> float | None:
    """Return since when a listed resource is as it is, epoch seconds; None if that is not said."""
    since = _value(row, f"@{spec.since}") if spec.since else ""
    return since if isinstance(since, float) else None


def _value(body: Params, field: str) -> str | float:
    """Return the value of a template's field; empty if it is missing."""
    if field.startswith("@"):
        return _time(next(_values_at(dict(body), field[1:].split(".")), None))
    parts = [_text(body, part) for part in field.split("/")]
    return "/".join(parts) if all(parts) else ""


def _active(running: ActiveRows, body: Params, now: float) -> Params | None:
    """Return a response with only the active rows; None if it cannot tell which those are."""
    # An empty list may come as null; a missing one is no response.
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
    found = [one for one in _values_at(dict(body), path.split(".")) if one not in (None, "")]
    shown = [redact(str(one), _LONGEST) for one in found[:_MOST]]
    return ", ".join(shown + ["…"] * (len(found) > _MOST))


def _values_at(node: Json, path: list[str]) -> Iterator[Json]:
    if not path:
        if not isinstance(node, dict | list):
            yield node
        return
    name, *rest = path
    if isinstance(node, dict) and name in node:
        yield from _values_at(node[name], rest)
    elif isinstance(node, list):
        chosen = node if name == "*" else node[int(name) :][:1] if name.isdecimal() else []
        for one in chosen:
            yield from _values_at(one, rest)


def _time(given: Json) -> str | float:
    """Return the epoch seconds of a time in Tencent Cloud's format; empty if it is none."""
    at = parse_instant(given)
    return "" if at is None else at
