"""Files under which nobody may do anything: cut off by accident, or written so on purpose."""

import jsonschema
import pytest
import yaml

from bot.errors import ConfigError
from bot.policy.lockout import allows_nothing, lockout
from bot.policy.schema import json_schema
from tests.support.policies import load

CUT_OFF = [
    "",
    "\n",
    "{}",
    "# roles: {}\n",
    "---\n",
    "~",
    "limits: []\n",
    "targets: {}\ndefaults: {}\n",
]


@pytest.mark.parametrize("text", CUT_OFF)
def test_policy_that_names_no_roles_is_broken(text: str) -> None:
    """A file that was emptied, commented out or cut off before its roles can't come into force."""
    with pytest.raises(ConfigError) as caught:
        load(text)

    (problem,) = caught.value.problems
    assert problem.startswith("policy.yml: has no roles, so nobody may do anything; stopstream")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text) or {}, json_schema())


def test_policy_whose_roles_are_misspelt_is_one_problem() -> None:
    """The key that is unknown is named, and not that another is missing."""
    with pytest.raises(ConfigError) as caught:
        load("rols: {}")

    (problem,) = caught.value.problems
    assert 'did you mean "roles"' in problem


@pytest.mark.parametrize(
    ("roles", "why"),
    [
        ("{}", "it has no roles"),
        ("{a: {members: {users: [U0A]}}}", "no role allows anything"),
        ("{a: {allow: [{actions: ['*']}]}}", "no role has members"),
        (
            "{a: {allow: [{actions: ['*']}]}, b: {members: {users: [U0A]}}}",
            "no role that allows something has members",
        ),
        ("{a: {members: {usergroups: [S0A]}, allow: [{actions: ['*']}]}, b: {}}", ""),
    ],
)
def test_policy_may_allow_nobody_anything_on_purpose(roles: str, why: str) -> None:
    """Roles that leave nobody a right are valid: taking rights away must work. They are told."""
    policy = load(f"roles: {roles}")

    assert lockout(policy) == why
    assert ("nobody may do anything" in allows_nothing(policy)) is bool(why)
