"""Who may do what: default deny, and nothing absent, empty or misspelt ever widens it."""

import re
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bot.catalog.registry import ACTIONS, by_api
from bot.errors import ConfigError
from bot.model.actions import Approval, Json
from bot.model.commands import Command
from bot.model.people import Person
from bot.model.verdicts import Denied, Verdict
from bot.policy import evaluation as policy
from bot.policy.evaluation import Context, Policy, decide

TEAM = "T0HOME"
EXAMPLE = """
defaults:
  live: {DomainName: 5000.livepush.myqcloud.com, AppName: live}
  ingest: {SdkAppId: 1400000000, Region: ap-singapore}
targets:
  main-stage: live stream1 domain=5000.livepush.myqcloud.com
limits:
  - {actions: [ForbidLiveStream], approval: second-person}
  - {actions: ["Start*"], where: {UserId: "vip-*"}, deny: true}
roles:
  oncall:
    members: {users: [U0ALICE], usergroups: [S0ONCALL]}
    allow:
      - actions: [DropLiveStream, ResumeLiveStream, "Describe*"]
        channels: [C0INC]
        where: {StreamName: "prod-*"}
        approval: none
      - actions: ["*"]
        approval: second-person
        approvers: [leads]
        expires: 15m
  leads:
    members: {users: [U0BOB]}
    allow: [{actions: ["*"], approval: confirm}]
"""


def load(text: str) -> Policy:
    return policy.load(text, actions=ACTIONS)


def facts(user: str = "U0ALICE", channel: str = "C0INC", **given: Any) -> Context:
    in_channel = given.pop("in_channel", True)
    groups = frozenset(given.pop("groups", ()))
    home = given.pop("home_team", TEAM)
    person = Person(user, given.pop("team", TEAM), **given)
    return Context(person, home, groups, channel, in_channel)


def drop(stream: str = "prod-1") -> Command:
    values: dict[str, Json] = {
        "StreamName": stream,
        "DomainName": "a.example.com",
        "AppName": "live",
    }
    return Command(by_api("DropLiveStream"), values)


def start(user: str) -> Command:
    return Command(by_api("StartPublishStream"), {"UserId": user})


def verdict(command: Command, who: Context, text: str = EXAMPLE) -> Verdict:
    found = decide(load(text), command, who)
    assert isinstance(found, Verdict), found
    return found


def denied(command: Command, who: Context, text: str = EXAMPLE) -> Denied:
    found = decide(load(text), command, who)
    assert isinstance(found, Denied), found
    return found


def test_the_first_rule_with_the_least_approval_counts() -> None:
    assert verdict(drop(), facts()) == Verdict("roles.oncall.allow[0]", Approval.NONE, ("oncall",))
    other = verdict(drop("test-1"), facts())
    assert (other.rule, other.approval, other.approvers) == (
        "roles.oncall.allow[1]",
        Approval.SECOND_PERSON,
        ("leads",),
    )
    assert verdict(drop(), facts("U0BOB", "C0ANY")).approval is Approval.CONFIRM


def test_a_user_group_makes_a_member() -> None:
    verdict(drop(), facts("U0CAROL", groups={"S0ONCALL"}))
    assert denied(drop(), facts("U0CAROL", groups={"S0OTHER"})).check == "some_rule_allows"


def test_a_limit_asks_more_than_a_rule_and_a_denying_one_wins_over_all() -> None:
    ban = Command(by_api("ForbidLiveStream"), drop().params)
    raised = verdict(ban, facts("U0BOB"))
    assert raised.approval is Approval.SECOND_PERSON
    assert raised.rule == "roles.leads.allow[0] + limits[0]"

    assert denied(start("vip-1"), facts("U0BOB")).rule == "limits[1]"
    verdict(start("other"), facts("U0BOB"))


@pytest.mark.parametrize(
    ("who", "check"),
    [
        (facts("U0MALLORY"), "some_rule_allows"),
        (facts(bot=True), "full_member"),
        (facts(guest=True), "full_member"),
        (facts(deactivated=True), "full_member"),
        (facts(stranger=True), "own_workspace"),
        (facts(team="T0OTHER"), "own_workspace"),
        (facts(team=""), "own_workspace"),
        (facts(team="", home_team=""), "own_workspace"),
        (facts(in_channel=False), "bot_is_there"),
    ],
)
def test_whoever_is_not_plainly_allowed_is_refused(who: Context, check: str) -> None:
    assert denied(drop(), who).check == check


def test_a_refusal_says_who_could_and_where() -> None:
    assert "oncall or leads" in denied(drop(), facts("U0MALLORY")).reason
    narrow = EXAMPLE.replace(
        '- actions: ["*"]\n        approval: second',
        "- actions: [StopLiveRecord]\n        approval: second",
    )
    assert "C0INC" in denied(drop(), facts(channel="C0ELSE"), narrow).reason
    assert "nobody" in denied(drop(), facts(), "roles: {}").reason


@pytest.mark.parametrize("text", ["", "roles: {}", "roles: {a: {allow: [{actions: ['*']}]}}"])
def test_an_empty_policy_allows_nothing(text: str) -> None:
    denied(drop(), facts(), text)


def test_no_channels_means_nowhere_and_an_absent_value_meets_no_condition() -> None:
    allow = "roles: {a: {members: {users: [U0ALICE]}, allow: [{actions: ['*'], %s}]}}"
    denied(drop(), facts(), allow % "channels: []")
    denied(start("u"), facts(), allow % "where: {StreamName: '*'}")
    denied(start("u"), facts(), allow % "where: {PublishStreamArgs: '*'}")
    verdict(drop(), facts(), allow % "where: {DomainName: 'A.EXAMPLE.com'}")
    denied(drop("Prod-1"), facts(), allow % "where: {StreamName: 'prod-*'}")


def test_a_limit_cannot_be_dodged_by_leaving_a_parameter_out() -> None:
    text = EXAMPLE + "\n".replace("\n", "")
    text = text.replace('where: {UserId: "vip-*"}', 'where: {PublishStreamArgs: "*bad*"}')
    denied(start("u"), facts("U0BOB"), text)
    fine = Command(by_api("StartPublishStream"), {"UserId": "u", "PublishStreamArgs": "good"})
    verdict(fine, facts("U0BOB"), text)


def test_numbers_are_matched_as_they_are_written() -> None:
    allow = "[{actions: [StopLiveRecord], where: {TaskId: 42}}]"
    text = f"roles: {{a: {{members: {{users: [U0ALICE]}}, allow: {allow}}}}}"
    values: dict[str, Json] = {"StreamName": "s", "TaskId": 42}
    verdict(Command(by_api("StopLiveRecord"), values), facts(), text)
    denied(Command(by_api("StopLiveRecord"), values | {"TaskId": 43}), facts(), text)


ROLE = "roles:\n  oncall:\n    members: {users: [U0ALICE]}\n    allow:\n      - "


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
        (ROLE + "actions: ['*']\n        channels: [incidents]", "id of the right kind"),
        (ROLE + "actions: ['*']\n        approval_needed: 2", "not a key"),
        (ROLE + "actions: ['*']\n        approvals_needed: 0", "greater than"),
        (ROLE + "actions: ['*']\n        approvals_needed: true", "integer"),
        (ROLE + "actions: ['*']\n        break_glass: 1", "boolean"),
        (ROLE + "actions: ['*']\n        requests: 1", "boolean"),
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
        ("cases: {incidents: INC-1}", "id of the right kind"),
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
        ("roles: {a: {members: {users: [alice]}}}", "id of the right kind"),
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
def test_a_file_that_says_nothing_sure_is_refused_line_by_line(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text)

    assert re.search(problem, "\n".join(caught.value.problems)), caught.value.problems


def test_a_file_that_grows_by_its_aliases_is_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for number in range(1, 12):
        names = ", ".join([f"*a{number - 1}"] * 10)
        lines.append(f"a{number}: &a{number} [{names}]")
    with pytest.raises(ConfigError, match="more than 50000 values"):
        load("\n".join(lines))


CONSENT = """
limits:
  - {actions: [ForbidLiveDomain], approval: second-person}
roles:
  oncall:
    members: {users: [U0ALICE, U0CAROL]}
    allow:
      - actions: [DropLiveStream, ForbidLiveDomain]
        approval: second-person
        approvals_needed: 2
        remind: 2m
        then: [leads]
        break_glass: true
  chiefs:
    members: {usergroups: [S0CHIEFS]}
    allow:
      - {actions: [ResumeLiveStream], approval: second-person, approvers: []}
  leads:
    members: {users: [U0BOB]}
"""


def test_what_a_second_person_needs_is_in_the_verdict() -> None:
    found = verdict(drop(), facts(), CONSENT)
    assert (found.approvers, found.needed, found.remind, found.escalates_to) == (
        ("oncall",),
        2,
        120.0,
        ("leads",),
    )
    assert found.break_glass_rule == "roles.oncall.allow[0]"
    assert policy.members(load(CONSENT), ("oncall", "chiefs")) == ("U0ALICE", "U0CAROL", "S0CHIEFS")


def test_an_emergency_never_gets_past_a_limit() -> None:
    domain = Command(by_api("ForbidLiveDomain"), {"DomainName": "a.example.com"})
    assert verdict(domain, facts(), CONSENT).break_glass_rule == ""
    assert (
        verdict(drop(), facts(), CONSENT.replace("ForbidLiveDomain]", "Drop*]")).break_glass_rule
        == ""
    )


def may_approve(who: Context, roles: tuple[str, ...] = ("oncall",), text: str = CONSENT) -> str:
    return policy.may_approve(load(text), drop(), who, asker="U0ALICE", roles=roles) or ""


def test_only_another_member_of_the_named_roles_may_approve() -> None:
    assert may_approve(facts("U0CAROL")) == ""
    assert "somebody else" in may_approve(facts("U0ALICE"))
    assert "Only someone in oncall" in may_approve(facts("U0BOB"))
    assert may_approve(facts("U0BOB"), ("oncall", "leads")) == ""
    assert "nobody" in may_approve(facts("U0BOB"), ())
    assert may_approve(facts("U0CAROL", guest=True))
    assert may_approve(facts("U0CAROL", team="T0OTHER"))
    denying = CONSENT.replace("roles:", "  - {actions: [Drop*], deny: true}\nroles:")
    assert "forbids" in may_approve(facts("U0CAROL"), text=denying)


def test_a_target_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"policy.yml:1: targets.x: no"):
        policy.load("targets: {x: nonsense}", actions=ACTIONS, check_target=lambda _, __: "no")


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
def test_any_text_is_a_policy_or_a_list_of_problems(text: str) -> None:
    try:
        load(text)
    except ConfigError as error:
        assert error.problems
        assert all("\n" not in problem for problem in error.problems)


def test_the_schema_knows_the_example_and_its_mistakes() -> None:
    schema = policy.schema()
    jsonschema.validate(yaml.safe_load(EXAMPLE), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"rolse": {}}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"roles": {"a": {"allow": [{"actions": []}]}}}, schema)


@pytest.mark.parametrize(
    ("users", "allowed", "denied"),
    [
        (["test-1", "test-2"], True, False),
        (["test-1", "vip-1"], False, True),
        (["other"], False, False),
    ],
)
def test_of_a_list_all_must_be_allowed_and_one_is_enough_to_deny(
    users: list[Json], allowed: bool, denied: bool
) -> None:
    values: dict[str, Json] = {"RoomId": 1, "SdkAppId": 2, "UserIds": users}
    removed = Command(by_api("RemoveUser"), values, "ap-singapore")
    rule = ROLE + "actions: ['*']"
    only = rule + "\n        where: {UserIds: 'test-*'}\n"
    never = rule + "\nlimits: [{actions: ['*'], deny: true, where: {UserIds: 'vip-*'}}]\n"

    assert isinstance(decide(load(only), removed, facts()), Verdict) == allowed
    assert isinstance(decide(load(never), removed, facts()), Denied) == denied


def test_what_is_said_of_a_domain_holds_under_its_other_name_too() -> None:
    values: dict[str, Json] = {"StreamName": "s", "PushDomainName": "a.tv", "AppName": "live"}
    pad = Command(by_api("StartLivePadStream"), values)
    rule = ROLE + "actions: ['*']"
    limit = "\nlimits: [{actions: ['*'], deny: true, where: {DomainName: %s}}]\n"

    assert isinstance(decide(load(rule + limit % "a.tv"), pad, facts()), Denied)
    assert isinstance(decide(load(rule + limit % "b.tv"), pad, facts()), Verdict)
    for domain, wanted in (("A.tv", Verdict), ("b.tv", Denied)):
        only = f"{rule}\n        where: {{DomainName: {domain}}}\n"
        assert isinstance(decide(load(only), pad, facts()), wanted)


# --- properties ------------------------------------------------------------------

_RULES = st.fixed_dictionaries(
    {
        "actions": st.lists(
            st.sampled_from(["*", "Drop*", "DropLiveStream", "StartPublishStream"]), min_size=1
        )
    },
    optional={
        "channels": st.lists(st.sampled_from(["C0INC", "C0OTHER"]), max_size=2),
        "approval": st.sampled_from(["none", "confirm", "second-person"]),
        "requests": st.booleans(),
    },
)
_ROLES = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.fixed_dictionaries(
        {
            "members": st.fixed_dictionaries(
                {
                    "users": st.lists(st.sampled_from(["U0ALICE", "U0BOB"]), max_size=2),
                    "usergroups": st.lists(st.sampled_from(["S0ONE"]), max_size=1),
                }
            ),
            "allow": st.lists(_RULES, max_size=3),
        }
    ),
    max_size=3,
)
_LIMITS = st.lists(
    st.one_of(
        st.fixed_dictionaries({"actions": st.just(["*"]), "deny": st.just(value=True)}),
        st.fixed_dictionaries(
            {
                "actions": st.lists(st.sampled_from(["*", "Drop*"]), min_size=1),
                "approval": st.sampled_from(["confirm", "second-person"]),
            }
        ),
    ),
    max_size=2,
)
_WHO = st.builds(
    facts,
    st.sampled_from(["U0ALICE", "U0BOB", "U0MALLORY"]),
    st.sampled_from(["C0INC", "C0OTHER", ""]),
    groups=st.sampled_from([(), ("S0ONE",)]),
    guest=st.sampled_from([False, False, True]),
    team=st.sampled_from([TEAM, TEAM, "T0OTHER"]),
)
_COMMANDS = st.sampled_from([drop(), drop("x"), start("u")])


def rank(found: Verdict | Denied) -> int:
    """The more it demands, the higher."""
    return 99 if isinstance(found, Denied) else found.approval.rank


def validated(data: dict[str, Any]) -> Policy:
    return Policy.model_validate(data)


@given(_ROLES, _LIMITS, _COMMANDS, _WHO, st.data())
def test_taking_anything_away_lets_nobody_in(
    roles: dict[str, Any], limits: list[Any], command: Command, who: Context, data: st.DataObject
) -> None:
    before = rank(decide(validated({"roles": roles, "limits": limits}), command, who))
    less = {name: dict(role) for name, role in roles.items()}
    if less:
        name = data.draw(st.sampled_from(sorted(less)))
        what = data.draw(st.sampled_from(["role", "rule", "users", "groups", "channels"]))
        role = less[name]
        match what:
            case "role":
                del less[name]
            case "rule":
                role["allow"] = role["allow"][1:]
            case "users":
                role["members"] = role["members"] | {"users": []}
            case "groups":
                role["members"] = role["members"] | {"usergroups": []}
            case "channels":
                role["allow"] = [rule | {"channels": []} for rule in role["allow"]]
    assert rank(decide(validated({"roles": less, "limits": limits}), command, who)) >= before


@given(_ROLES, _LIMITS, _LIMITS, _COMMANDS, _WHO)
def test_a_further_limit_never_lets_more_through(
    roles: dict[str, Any], limits: list[Any], more: list[Any], command: Command, who: Context
) -> None:
    before = decide(validated({"roles": roles, "limits": limits}), command, who)
    after = decide(validated({"roles": roles, "limits": limits + more}), command, who)
    assert rank(after) >= rank(before)
    if any(limit.get("deny") for limit in more):
        assert isinstance(after, Denied)


@given(_ROLES, _LIMITS, _COMMANDS, _WHO)
def test_explaining_says_the_same_as_deciding(
    roles: dict[str, Any], limits: list[Any], command: Command, who: Context
) -> None:
    read = validated({"roles": roles, "limits": limits})
    assert policy.explain(read, command, who).verdict == decide(read, command, who)
    for how in policy.permissions_for(read, who, ACTIONS):
        if how.approval is not None:
            assert policy.roles_of(read, who)


@given(_ROLES, _LIMITS, _COMMANDS, _WHO)
def test_a_request_is_approved_by_those_alone_who_may_do_it_themselves(
    roles: dict[str, Any], limits: list[Any], command: Command, who: Context
) -> None:
    read = validated({"roles": roles, "limits": limits})
    found, refused = policy.request(read, command, who), decide(read, command, who)
    if isinstance(refused, Denied):
        assert refused.request_from == (found.approvers if isinstance(found, Verdict) else ())
    if isinstance(found, Denied):
        return
    assert policy.roles_of(read, who) or "no role" in found.lacking
    assert (found.approval, found.break_glass_rule, found.escalates_to) == (
        Approval.SECOND_PERSON,
        "",
        (),
    )
    assert not who.person.guest
    assert found.approvers
    for user in ("U0ALICE", "U0BOB", "U0MALLORY"):
        other = facts(user, who.channel)
        if policy.may_approve(read, command, other, asker="U0EVE", roles=found.approvers) is None:
            assert rank(decide(read, command, other)) < Approval.SECOND_PERSON.rank


@given(_ROLES, _LIMITS, _COMMANDS, _WHO)
def test_where_no_rule_says_so_nobody_can_be_asked(
    roles: dict[str, Any], limits: list[Any], command: Command, who: Context
) -> None:
    silent = {
        name: role | {"allow": [{**rule, "requests": False} for rule in role["allow"]]}
        for name, role in roles.items()
    }
    read = validated({"roles": silent, "limits": limits})

    assert isinstance(policy.request(read, command, who), Denied)
