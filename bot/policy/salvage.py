"""What is left of a malformed policy file, so that one look at it names every problem; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from bot.policy.schema import Policy
from bot.policy.validation import Location, Problem

_ROUNDS = 5
"""How often what the removal of a part has made malformed is removed as well."""

_REFERRING: Mapping[str | int, frozenset[str]] = {
    "roles": frozenset({"approvers", "then"}),
    "accounts": frozenset({"accounts"}),
}
"""Sections whose entries other parts of the file name, and the keys of those parts."""


@dataclass(frozen=True, slots=True)
class Salvage:
    """A policy without the malformed parts of its file: to be looked at, never applied.

    Attributes:
        removed: The locations that were taken out of the file.
        origins: The location in the file of each value: entries of lists have moved up.
    """

    policy: Policy
    removed: frozenset[Location]
    origins: Mapping[Location, Location]

    def place(self, problem: Problem) -> Problem | None:
        """Return a problem of the policy with its location in the file.

        None if it may be there only because something was taken out.
        """
        location, why = problem
        found = _in_file(self.origins, location)
        return None if any(_may_explain(one, found) for one in self.removed) else (found, why)


def salvage(data: Any, error: ValidationError) -> Salvage | None:
    """Return what is left of a file without the parts that an error names; None if nothing is."""
    left, removed = data, frozenset[Location]()
    origins: dict[Location, Location] = {}
    for _ in range(_ROUNDS):
        wrong = {existing(left, one["loc"]) for one in error.errors()}
        removed |= {_in_file(origins, location) for location in wrong}
        if () in removed:
            return None
        origins = {}
        left = _without(data, removed, origins)
        try:
            return Salvage(Policy.model_validate(left), removed, origins)
        except ValidationError as again:
            error = again
    return None


def existing(data: Any, location: Location) -> Location:
    """Return the part of a location that leads to a value: what is missing leads to its entry."""
    for length, part in enumerate(location):
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return location[:length]
    return location


def _without(
    data: Any,
    removed: frozenset[Location],
    origins: dict[Location, Location],
    at: Location = (),
    now: Location = (),
) -> Any:
    """Return a value without what is removed, and note where each part of it was."""
    origins[now] = at
    if isinstance(data, dict):
        kept = {key: value for key, value in data.items() if (*at, key) not in removed}
        return {
            key: _without(value, removed, origins, (*at, key), (*now, key))
            for key, value in kept.items()
        }
    if isinstance(data, list):
        still = [n for n in range(len(data)) if (*at, n) not in removed]
        return [
            _without(data[n], removed, origins, (*at, n), (*now, new))
            for new, n in enumerate(still)
        ]
    return data


def _in_file(origins: Mapping[Location, Location], location: Location) -> Location:
    known = location
    while known not in origins and known:
        known = known[:-1]
    return (*origins.get(known, ()), *location[len(known) :])


def _may_explain(removed: Location, found: Location) -> bool:
    """Return whether a problem may be there because something was removed."""
    entry, key = removed[:-1], removed[-1]
    if len(removed) <= 2:  # noqa: PLR2004 (a section, or one of its entries)
        keys = _REFERRING.get(removed[0])
        if keys is None and removed[0] not in Policy.model_fields:
            # A section whose name is misspelt.
            keys = frozenset().union(*_REFERRING.values())
        if keys and not keys.isdisjoint(found[1:]):
            return True
    if "actions" in removed:
        rule = removed[: removed.index("actions")]
        if found[: len(rule) + 1] == (*rule, "where"):
            return True
    return (
        isinstance(key, str)
        and len(found) <= len(removed)
        and found[: len(entry)] == entry
        and bool(entry)
    )
