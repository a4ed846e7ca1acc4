"""What a value of the policy file must be is said in words for people, once for each value."""

import re

import pytest

from bot.errors import ConfigError
from tests.support.policies import load

RULE = "roles: {a: {members: {users: [U0A]}, allow: [{actions: ['*'], %s}]}}"
AT = r"policy\.yml:1: roles\.a\.allow\[0\]\."

MACHINE_WORDS = re.compile("input|valid (str|tup|dic|int|bool)|instance|constrained|recursion")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[]", r"policy\.yml: must be keys with values, as in {name: value}"),
        ("nothing", r"policy\.yml: must be keys with values, as in {name: value}"),
        ("roles: {a: [3]}", r".*:1: roles\.a: must be keys with values, as in {name: value}"),
        ("roles: {a: {allow: {}}}", r".*\.allow: must be a list, as in \[one, another\]"),
        ("roles: {a: {members: {users: [3]}}}", r".*users\[0\]: must be a text"),
        (RULE % "approval: maybe", f"{AT}approval: write none, confirm or second-person"),
        (RULE % "reason: always", f"{AT}reason: write required"),
        (RULE % "approvals_needed: 0", f"{AT}approvals_needed: must be 1 or more"),
        (RULE % "approvals_needed: 11", f"{AT}approvals_needed: must be 10 or less"),
        (RULE % "approvals_needed: two", f"{AT}approvals_needed: must be a whole number"),
        (RULE % "requests: 3", f"{AT}requests: must be true or false"),
        (RULE % "where: {StreamName: [a]}", f"{AT}where.StreamName: must be a text, a number, .*"),
        (RULE % "where: {StreamName: ''}", f"{AT}where.StreamName: may not be empty"),
        (
            "roles: {}\ndefaults: {live: {str: [1]}}",
            r".*:2: defaults\.live\.str: must be a text, .*",
        ),
        ("x: &a [*a]", ".*:1: is nested deeper than 50 levels, or leads back to itself"),
        ("roles: &a {b: {allow: *a}}", ".*:1: is nested deeper .*, or leads back to itself"),
        ("roles: {}\ntargets: {str: [b]}", r".*:2: targets\.str: must be a text"),
    ],
)
def test_shape_is_told_in_words_for_people(text: str, problem: str) -> None:
    """One line for each value, with its place, and nothing of the machine's own words."""
    with pytest.raises(ConfigError) as caught:
        load(text)

    (line,) = caught.value.problems
    assert re.fullmatch(problem, line)
    assert not MACHINE_WORDS.search(line)
