"""What a policy file may contain, and how a wrong one is refused."""

import re

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bot.catalog.registry import ACTIONS
from bot.errors import ConfigError
from bot.policy import reader
from bot.policy.schema import json_schema
from tests.support.policies import EXAMPLE, ROLE, load


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            ROLE + "actions: [DropLiveStrem]",
            r":5: .*no action \"DropLiveStrem\"; did you mean \"Drop",
        ),
        (ROLE + "channels: [C0INC]", r":5: roles.oncall.allow\[0\].actions: is required"),
        (ROLE + "actions: []", "may not be empty"),
        (ROLE + "actions: ['*']\n        wher: {}", ":6: .*wher: is not a key"),
        (ROLE + "actions: ['*']\n        where: {}", "may not be empty"),
        (ROLE + "actions: ['*']\n        where: {Stream: a}", 'no.* parameter "Stream"'),
        (ROLE + "actions: ['*']\n        where: {StreamName: }", "StreamName: has no value"),
        (ROLE + "actions: ['*']\n        approval: confrim", "confirm"),
        (ROLE + "actions: ['*']\n        approvers: [boss]", 'no role "boss"'),
        (ROLE + "actions: ['*']\n        expires: soon", "length of time"),
        (ROLE + "actions: ['*']\n        channels: [incidents]", "is no id: users have U"),
        (ROLE + "actions: ['*']\n        approval_needed: 2", "not a key"),
        (ROLE + "actions: ['*']\n        approvals_needed: 0", "must be 1 or more"),
        (ROLE + "actions: ['*']\n        approvals_needed: true", "must be a whole number"),
        (ROLE + "actions: ['*']\n        break_glass: 1", "must be true or false"),
        (ROLE + "actions: ['*']\n        requests: 1", "must be true or false"),
        (
            ROLE + "actions: ['*']\n        requests: true\n        approval: second-person",
            ":6: .*requests: needs a rule whose people",
        ),
        (ROLE + "actions: ['*']\n        runbook: http://a.b/c", ":6: .*begins with https://"),
        (ROLE + "actions: ['*']\n        runbook: 'https://a.b/<c>'", "begins with https://"),
        (ROLE + "actions: ['*']\n        runbook: 'https://a@b.c/'", "begins with https://"),
        ("runbooks: [{actions: ['*']}]", r"runbooks\[0\].link: is required"),
        ("runbooks: [{actions: [Dorp], link: 'https://a.b'}]", 'no action "Dorp"'),
        ("runbooks: [{actions: ['*'], link: 'https://a.b', where: {X: y}}]", 'parameter "X"'),
        ("cases: {incidents: INC-1}", "is no id: users have U"),
        ("cases: {C0INC: 'a b'}", "write it like INC-42"),
        ("cases: {C0INC: }", "has no value"),
        (ROLE + "actions: ['*']\n        then: [boss]", 'no role "boss"'),
        (ROLE + "actions: ['*']\n        remind: soon", "length of time"),
        (ROLE + "actions: ['*']\n        remind: 15m", "not shorter than expires"),
        (ROLE + "actions: ['*']\n        channels:", "has no value"),
        (ROLE + "actions: ['*']\n        where:", "has no value"),
        (ROLE + "actions: ['*']\n        approvers:", "has no value"),
        (ROLE + "actions: ['*']\n        where: {StreamName: a, UserId: b}", "never hold"),
        ("limits: [{actions: ['*'], deny: true, where: {Region: a, Reason: b}}]", "never hold"),
        ("limits: [{actions: ['*'], approval: }]", "has no value"),
        ("targets: {Status: live a}", "word of the bot's own"),
        ("targets: {car: live a}", "word of the bot's own"),
        ("roles: {a: {members: {users: [alice]}}}", "is no id: users have U"),
        ("roles: {a: {allow: null}}", "has no value"),
        ("rolse: {}", "rolse: is not a key"),
        ("roles: {}\nroles: {}", ':2: "roles" stands here twice'),
        ("limits: [{actions: ['*']}]", "deny: true or an approval"),
        ("limits: [{actions: ['*'], deny: true, approval: confirm}]", "either"),
        ("limits: [{actions: ['*'], deny: on}]", "true or false"),
        ("defaults: {lvie: {}}", 'did you mean "live"'),
        ("defaults: {live: {Domain: a.b}}", 'did you mean "DomainName"'),
        ("defaults: {live: {DomainName: nodots}}", "host name"),
        ("a: &a [*a]", "."),
        ("a: [", ":1|:2"),
        ("- just a list", "."),
        ("roles: {a: !!python/object:os.system {}}", "."),
    ],
)
def test_policy_load_refuses_invalid_file(text: str, problem: str) -> None:
    """An invalid policy file is refused with a message that names the problem."""
    with pytest.raises(ConfigError) as caught:
        load(text)

    assert re.search(problem, "\n".join(caught.value.problems)), caught.value.problems


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: " + "[" * 3000 + "]" * 3000, "is nested deeper than 50 levels"),
        ("[a," * 3000, "is nested deeper than 50 levels"),
        ("\n".join(" " * depth + "a:" for depth in range(200)), "is nested deeper than 50 levels"),
        ("a: [" + "x," * 250 + "]", "holds more than 100 values"),
        ("{" + "".join(f"k{at}: x," for at in range(250)) + "}", "holds more than 100 values"),
    ],
)
def test_policy_load_stops_at_the_first_value_too_many(
    monkeypatch: pytest.MonkeyPatch, text: str, problem: str
) -> None:
    """A file that is too large or too deep is refused before a tree is made of all of it."""
    monkeypatch.setattr(reader, "MAX_VALUES", 100)
    begun: list[object] = []
    compose = yaml.SafeLoader.compose_node

    def counted(loader: yaml.SafeLoader, *args: object) -> object:
        begun.append(loader)
        return compose(loader, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(yaml.SafeLoader, "compose_node", counted)
    with pytest.raises(ConfigError) as refused:
        load(text)

    assert refused.value.problems == (f"policy.yml: {problem}",)
    assert len(begun) <= 201


def test_policy_load_refuses_alias_expansion() -> None:
    """A policy file that grows beyond the size limit by its YAML aliases is refused."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for number in range(1, 12):
        names = ", ".join([f"*a{number - 1}"] * 10)
        lines.append(f"a{number}: &a{number} [{names}]")
    with pytest.raises(ConfigError, match="more than 20000 values"):
        load("\n".join(lines))


def test_policy_load_refuses_invalid_target() -> None:
    """A target that fails its check is refused with its place in the file."""
    with pytest.raises(ConfigError, match=r"policy.yml:1: targets.x: no"):
        reader.load("targets: {x: nonsense}", actions=ACTIONS, check_target=lambda _, __: "no")


@given(
    st.one_of(
        st.text(),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3),
                st.dictionaries(
                    st.sampled_from(["roles", "allow", "members", "actions", "limits", "x"]), inner
                ),
            ),
        ).map(yaml.safe_dump),
    )
)
def test_policy_load_handles_any_text(text: str) -> None:
    """Any text is loaded as a policy or refused with one-line problems."""
    try:
        load(text)
    except ConfigError as error:
        assert error.problems
        assert all("\n" not in problem for problem in error.problems)


def test_policy_schema_accepts_example() -> None:
    """The JSON schema accepts the example policy and rejects invalid ones."""
    schema = json_schema()
    jsonschema.validate(yaml.safe_load(EXAMPLE), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"rolse": {}}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"roles": {"a": {"allow": [{"actions": []}]}}}, schema)


ALL_WRONG = """\
defaults: {lvie: {}}
limits:
  - {actions: [], deny: true}
  - {actions: [ForbidLiveDomian], deny: true}
roles:
  oncall:
    members: {users: [alice, U0BOB], usergruops: [S0A]}
    allow:
      - {actions: [DropLiveStrem], where: {StreamNam: a}}
      - {channels: [C0INC]}
      - {actions: ["*"], approval: second-person, approvers: [led]}
      - {actions: ["*"], aproval: confirm, remind: 20m}
  leads:
    allow: [{actions: ["*"], approval: confrim, requests: true}]
"""


def _problems_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(text)
    return list(caught.value.problems)


def test_policy_load_names_malformed_parts_and_wrong_names_at_once() -> None:
    """What is malformed does not hide what is misspelt, and each has its own line."""
    places = [problem.split(": ")[:2] for problem in _problems_of(ALL_WRONG)]

    assert sorted((int(line.split(":")[1]), where) for line, where in places) == [
        (1, "defaults.lvie"),
        (3, "limits[0].actions"),
        (4, "limits[1].actions[0]"),
        (7, "roles.oncall.members.usergruops"),
        (7, "roles.oncall.members.users[0]"),
        (9, "roles.oncall.allow[0].actions[0]"),
        (9, "roles.oncall.allow[0].where.StreamNam"),
        (10, "roles.oncall.allow[1].actions"),
        (11, "roles.oncall.allow[2].approvers[0]"),
        (12, "roles.oncall.allow[3].aproval"),
        (14, "roles.leads.allow[0].approval"),
    ]


def test_policy_load_names_the_key_that_was_meant() -> None:
    """A misspelt key is shown with the one that is near."""
    problems = "\n".join(_problems_of(ALL_WRONG))

    assert 'usergruops: is not a key that is known here; did you mean "usergroups"?' in problems
    assert 'aproval: is not a key that is known here; did you mean "approval"?' in problems


@pytest.mark.parametrize(
    ("text", "alone"),
    [
        # Without the section or entry, its names would seem to be missing.
        (ROLE + "actions: ['*']\n        approvers: [leads]\n  leads: []\n", "roles.leads"),
        ("rolse: {}\n" + ROLE + "actions: ['*']\n        approvers: [x]\n", "rolse"),
        # Without the key, its entry would seem to lack it, or to contradict itself.
        ("roles: {}\nlimits: [{actions: ['*'], approval: never}]", r"limits[0].approval"),
        (
            "accounts: {a: {}, b: {secret_id: x, secret_key: B_KEY}}\n"
            + ROLE
            + "actions: ['*']\n        accounts: [a, b]\n",
            "accounts.b.secret_id",
        ),
        (
            "accounts: {a: {}, b: {secret_id: B_ID, secret_key: B_KEY}}\n"
            + ROLE
            + "actions: ['*']\n        accounts: []\n",
            "roles.oncall.allow[0].accounts",
        ),
        (
            ROLE + "actions: [DropLiveStream, []]\n        where: {UserId: a}\n",
            "roles.oncall.allow[0].actions[1]",
        ),
    ],
)
def test_policy_load_reports_no_consequences(text: str, alone: str) -> None:
    """A malformed part is one problem: what seems wrong only without it is not reported."""
    (problem,) = _problems_of(text)

    assert f": {alone}: " in problem


def test_policy_load_tries_targets_beside_other_problems() -> None:
    """A wrong target is named together with a problem elsewhere in the file."""
    with pytest.raises(ConfigError) as caught:
        reader.load(
            "targets: {x: nonsense}\nroles: {a: {allow: {}}}",
            actions=ACTIONS,
            check_target=lambda _, __: "is no command",
        )

    assert len(caught.value.problems) == 2
