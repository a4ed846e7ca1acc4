"""Reads the policy file strictly; every problem is one line with its place in the file."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import yaml
from pydantic import ValidationError

from bot.errors import ConfigError
from bot.model.actions import Action
from bot.policy.lockout import NO_ROLES, is_cut_off
from bot.policy.salvage import salvage
from bot.policy.schema import Policy
from bot.policy.shape import flat, problems_of_shape
from bot.policy.validation import Location, Problem, validate

MAX_CHARACTERS = 1 << 20
"""Of a policy file."""

MAX_VALUES = 20_000
"""Of a policy file, with its aliases expanded."""

MAX_DEPTH = 50
"""Levels of a policy file; its own are fewer than ten."""


def load(
    text: str,
    *,
    actions: Sequence[Action],
    source: str = "policy.yml",
    check_target: Callable[[Policy, str], str | None] | None = None,
    check_variable: Callable[[str], str | None] | None = None,
) -> Policy:
    """Read a policy file.

    Args:
        source: The name of the file, for the problems.
        check_target: Returns what is wrong with a target's text, or None.
        check_variable: Returns what is wrong with a variable, without its value, or None.

    Raises:
        ConfigError: One line per problem, with its place in the file.
    """
    data, lines = _parse(text, source)
    cut_off: list[Problem] = [((), NO_ROLES)] if is_cut_off(data) else []
    try:
        policy = Policy.model_validate(data)
    except ValidationError as error:
        problems = cut_off + problems_of_shape(data, error)
        left = salvage(data, error)
        if left is not None:
            further = _problems(left.policy, actions, check_target, check_variable)
            problems += filter(None, map(left.place, further))
    else:
        problems = cut_off + _problems(policy, actions, check_target, check_variable)
        if not problems:
            return policy
    raise ConfigError([_line(source, lines, location, why) for location, why in problems])


def _problems(
    policy: Policy,
    actions: Sequence[Action],
    check_target: Callable[[Policy, str], str | None] | None,
    check_variable: Callable[[str], str | None] | None,
) -> list[Problem]:
    """Return every problem of a well-formed file, as far as one does not hide another."""
    problems = [*validate(policy, actions)]
    sections = {location[0] for location, _ in problems}
    if check_variable is not None and "accounts" not in sections:
        problems += _variable_problems(policy, check_variable)
    if check_target is not None and sections.isdisjoint({"accounts", "defaults", "targets"}):
        problems += _target_problems(policy, check_target)
    return problems


def _variable_problems(policy: Policy, check: Callable[[str], str | None]) -> Iterator[Problem]:
    for name, account in policy.accounts.items():
        for key, variable in account.all_variables.items():
            if wrong := check(variable):
                yield ("accounts", name, key), f"the variable {variable} {wrong}"


def _target_problems(
    policy: Policy, check: Callable[[Policy, str], str | None]
) -> Iterator[Problem]:
    for name, words in policy.targets.items():
        if wrong := check(policy, words):
            yield ("targets", name), wrong


def _parse(text: str, source: str) -> tuple[Any, dict[Location, int]]:
    """Return the data of a YAML text, and the line of each value.

    Raises:
        ConfigError: It is too large, or no YAML that can be accepted.
    """
    if len(text) > MAX_CHARACTERS:
        raise ConfigError([f"{source}: is larger than {MAX_CHARACTERS} characters"])
    lines: dict[Location, int] = {}
    try:
        node = _BoundedLoader(text).get_single_node()
        data = {} if node is None or node.tag == _NULL else _build(node, (), lines)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        why = getattr(error, "problem", None) or "is not YAML"
        raise ConfigError([f"{source}{line}: {flat(why)}"]) from None
    except (RecursionError, ValueError) as error:
        raise ConfigError([f"{source}: {flat(str(error)) or 'is nested too deeply'}"]) from None
    return data, lines


class _BoundedLoader(yaml.SafeLoader):
    """Stops at the first value too many, before a tree is made of what is refused anyway."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._values = self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._values += 1
        self._depth += 1
        # Each key is a node, too.
        if self._values > 2 * MAX_VALUES:
            raise ValueError(f"holds more than {MAX_VALUES} values")
        if self._depth > MAX_DEPTH:
            raise ValueError(f"is nested deeper than {MAX_DEPTH} levels")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _build(node: yaml.Node, path: Location, lines: dict[Location, int]) -> Any:
    """Return the data of a node as SafeLoader would, but refuse what that silently accepts."""
    lines[path] = node.start_mark.line + 1
    if len(path) > MAX_DEPTH:
        # An alias may lead back to what it is a part of.
        raise _refusal(f"is nested deeper than {MAX_DEPTH} levels, or leads back to itself", node)
    if len(lines) > MAX_VALUES:
        raise ValueError(f"holds more than {MAX_VALUES} values")
    if not node.tag.startswith("tag:yaml.org,2002:") or "python" in node.tag:
        raise _refusal("only names, numbers, lists and mappings are understood", node)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, lines)
    if isinstance(node, yaml.SequenceNode):
        return [_build(one, (*path, at), lines) for at, one in enumerate(node.value)]
    if node.tag == _NULL:
        # Nothing must never be read as no condition.
        raise _refusal(
            f"{_dotted(path)}: has no value; give it one ([] for none) or take it out", node
        )
    return _scalar(node)


def _mapping(node: yaml.MappingNode, path: Location, lines: dict[Location, int]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = key_node.value
        if not isinstance(key_node, yaml.ScalarNode) or key_node.tag.endswith(":merge"):
            raise _refusal("a key must be a plain name", key_node)
        if key in found:
            raise _refusal(f'"{key}" stands here twice', key_node)
        found[key] = _build(value_node, (*path, key), lines)
        lines[(*path, key)] = key_node.start_mark.line + 1
    return found


def _refusal(problem: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


_NULL = "tag:yaml.org,2002:null"


def _scalar(node: yaml.Node) -> Any:
    tag = node.tag.rpartition(":")[2]
    text = str(node.value)
    match tag:
        case "bool":
            if text.lower() not in ("true", "false"):
                raise _refusal(f'write true or false, or "{text}" in quotes', node)
            return text.lower() == "true"
        case "int" if re.fullmatch(r"0|-?[1-9][0-9]{0,19}", text):
            return int(text)
        case "str" | "int" | "float" | "timestamp":
            return text
        case _:
            raise _refusal("only names, numbers, lists and mappings are understood", node)


def _line(source: str, lines: Mapping[Location, int], location: Location, why: str) -> str:
    """Render a problem with the line of its location, or of the nearest part around it."""
    at = location
    while at not in lines and at:
        at = at[:-1]
    number = f":{lines[at]}" if at in lines else ""
    place = f"{source}{number}: {_dotted(location)}" if location else source
    return flat(f"{place}: {why}")


def _dotted(path: Location) -> str:
    dotted = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return dotted.lstrip(".")
