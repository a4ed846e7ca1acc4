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
from bot.policy import explanation, matching, reader
from bot.policy.evaluation import decide
from bot.policy.matching import Context
from bot.policy.schema import Policy, json_schema

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
    return reader.load(text, actions=ACTIONS)


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


def test_policy_selects_rule_with_least_approval() -> None:
    """Of the rules that match, the one that requires the least approval decides."""
    assert verdict(drop(), facts()) == Verdict("roles.oncall.allow[0]", Approval.NONE, ("oncall",))
    other = verdict(drop("test-1"), facts())
    assert (other.rule, other.approval, other.approvers) == (
        "roles.oncall.allow[1]",
        Approval.SECOND_PERSON,
        ("leads",),
    )
    assert verdict(drop(), facts("U0BOB", "C0ANY")).approval is Approval.CONFIRM


def test_policy_user_group_grants_membership() -> None:
    """A member of a listed user group has the role, a member of another has not."""
    verdict(drop(), facts("U0CAROL", groups={"S0ONCALL"}))
    assert denied(drop(), facts("U0CAROL", groups={"S0OTHER"})).check == "some_rule_allows"


def test_policy_limit_raises_approval_or_denies() -> None:
    """A limit raises the approval of a rule, and a denying limit overrides every rule."""
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
        (facts(in_channel=False, channel="D0ALICE"), "bot_is_there"),
    ],
)
def test_policy_denies_by_default(who: Context, check: str) -> None:
    """A user or place that fails any check is denied, and the failed check is named."""
    assert denied(drop(), who).check == check


def test_policy_denial_names_roles_and_channels() -> None:
    """A denial names the roles that may act and the channels where they may."""
    assert "oncall or leads" in denied(drop(), facts("U0MALLORY")).reason
    narrow = EXAMPLE.replace(
        '- actions: ["*"]\n        approval: second',
        "- actions: [StopLiveRecord]\n        approval: second",
    )
    assert "C0INC" in denied(drop(), facts(channel="C0ELSE"), narrow).reason
    assert "nobody" in denied(drop(), facts(), "roles: {}").reason


@pytest.mark.parametrize("text", ["", "roles: {}", "roles: {a: {allow: [{actions: ['*']}]}}"])
def test_policy_empty_allows_nothing(text: str) -> None:
    """An empty policy, or a role without members, allows nothing."""
    denied(drop(), facts(), text)


def test_policy_condition_fails_on_missing_value() -> None:
    """An empty channel list matches no channel, and a missing value meets no condition."""
    allow = "roles: {a: {members: {users: [U0ALICE]}, allow: [{actions: ['*'], %s}]}}"
    denied(drop(), facts(), allow % "channels: []")
    denied(start("u"), facts(), allow % "where: {StreamName: '*'}")
    denied(start("u"), facts(), allow % "where: {PublishStreamArgs: '*'}")
    verdict(drop(), facts(), allow % "where: {DomainName: 'A.EXAMPLE.com'}")
    denied(drop("Prod-1"), facts(), allow % "where: {StreamName: 'prod-*'}")


def test_policy_limit_applies_to_missing_parameter() -> None:
    """A denying limit also applies when its parameter is left out."""
    text = EXAMPLE + "\n".replace("\n", "")
    text = text.replace('where: {UserId: "vip-*"}', 'where: {PublishStreamArgs: "*bad*"}')
    denied(start("u"), facts("U0BOB"), text)
    fine = Command(by_api("StartPublishStream"), {"UserId": "u", "PublishStreamArgs": "good"})
    verdict(fine, facts("U0BOB"), text)


def test_policy_condition_matches_number() -> None:
    """A numeric condition matches only the parameter of that value."""
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
def test_policy_load_refuses_invalid_file(text: str, problem: str) -> None:
    """An invalid policy file is refused with a message that names the problem."""
    with pytest.raises(ConfigError) as caught:
        load(text)

    assert re.search(problem, "\n".join(caught.value.problems)), caught.value.problems


def test_policy_load_refuses_alias_expansion() -> None:
    """A policy file that grows beyond the size limit by its YAML aliases is refused."""
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


def test_policy_verdict_contains_approval_settings() -> None:
    """A verdict has the approvers, their number, the reminder, escalation and break glass."""
    found = verdict(drop(), facts(), CONSENT)
    assert (found.approvers, found.needed, found.remind, found.escalates_to) == (
        ("oncall",),
        2,
        120.0,
        ("leads",),
    )
    assert found.break_glass_rule == "roles.oncall.allow[0]"
    assert policy.members(load(CONSENT), ("oncall", "chiefs")) == ("U0ALICE", "U0CAROL", "S0CHIEFS")


def test_policy_break_glass_never_bypasses_limit() -> None:
    """A limit that requires a second person removes break glass from the verdict."""
    domain = Command(by_api("ForbidLiveDomain"), {"DomainName": "a.example.com"})
    assert verdict(domain, facts(), CONSENT).break_glass_rule == ""
    assert (
        verdict(drop(), facts(), CONSENT.replace("ForbidLiveDomain]", "Drop*]")).break_glass_rule
        == ""
    )


def may_approve(who: Context, roles: tuple[str, ...] = ("oncall",), text: str = CONSENT) -> str:
    return policy.may_approve(load(text), drop(), who, asker="U0ALICE", roles=roles) or ""


def test_policy_approver_is_another_role_member() -> None:
    """Only another member of the named roles may approve, and a limit can forbid it."""
    assert may_approve(facts("U0CAROL")) == ""
    assert "somebody else" in may_approve(facts("U0ALICE"))
    assert "Only someone in oncall" in may_approve(facts("U0BOB"))
    assert may_approve(facts("U0BOB"), ("oncall", "leads")) == ""
    assert "nobody" in may_approve(facts("U0BOB"), ())
    assert may_approve(facts("U0CAROL", guest=True))
    assert may_approve(facts("U0CAROL", team="T0OTHER"))
    denying = CONSENT.replace("roles:", "  - {actions: [Drop*], deny: true}\nroles:")
    assert "forbids" in may_approve(facts("U0CAROL"), text=denying)


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


@pytest.mark.parametrize(
    ("users", "allowed", "denied"),
    [
        (["test-1", "test-2"], True, False),
        (["test-1", "vip-1"], False, True),
        (["other"], False, False),
    ],
)
def test_policy_list_condition_needs_every_item(
    users: list[Json], allowed: bool, denied: bool
) -> None:
    """For a list value, a rule must match every item and a denying limit any item."""
    values: dict[str, Json] = {"RoomId": 1, "SdkAppId": 2, "UserIds": users}
    removed = Command(by_api("RemoveUser"), values, "ap-singapore")
    rule = ROLE + "actions: ['*']"
    only = rule + "\n        where: {UserIds: 'test-*'}\n"
    never = rule + "\nlimits: [{actions: ['*'], deny: true, where: {UserIds: 'vip-*'}}]\n"

    assert isinstance(decide(load(only), removed, facts()), Verdict) == allowed
    assert isinstance(decide(load(never), removed, facts()), Denied) == denied


def test_policy_condition_matches_domain_alias() -> None:
    """A condition on DomainName also applies to its alias PushDomainName."""
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
def test_policy_reduction_never_grants_more(
    roles: dict[str, Any], limits: list[Any], command: Command, who: Context, data: st.DataObject
) -> None:
    """Removing a role, rule, member or channel never makes a verdict more permissive."""
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
def test_policy_extra_limit_never_grants_more(
    roles: dict[str, Any], limits: list[Any], more: list[Any], command: Command, who: Context
) -> None:
    """An additional limit never makes a verdict more permissive."""
    before = decide(validated({"roles": roles, "limits": limits}), command, who)
    after = decide(validated({"roles": roles, "limits": limits + more}), command, who)
    assert rank(after) >= rank(before)
    if any(limit.get("deny") for limit in more):
        assert isinstance(after, Denied)


@given(_ROLES, _LIMITS, _COMMANDS, _WHO)
def test_policy_explain_agrees_with_decide(
    roles: dict[str, Any], limits: list[Any], command: Command, who: Context
) -> None:
    """The explanation of a policy decision has the same verdict as the decision."""
    read = validated({"roles": roles, "limits": limits})
    assert explanation.explain(read, command, who).verdict == decide(read, command, who)
    for how in explanation.permissions_for(read, who, ACTIONS):
        if how.approval is not None:
            assert matching.roles_of(read, who)


@given(_ROLES, _LIMITS, _COMMANDS, _WHO)
def test_policy_request_is_approved_by_permitted_users(
    roles: dict[str, Any], limits: list[Any], command: Command, who: Context
) -> None:
    """A request can be approved only by users who may act without a second person."""
    read = validated({"roles": roles, "limits": limits})
    found, refused = policy.request(read, command, who), decide(read, command, who)
    if isinstance(refused, Denied):
        assert refused.request_from == (found.approvers if isinstance(found, Verdict) else ())
    if isinstance(found, Denied):
        return
    assert matching.roles_of(read, who) or "no role" in found.lacking
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
def test_policy_request_needs_permitting_rule(
    roles: dict[str, Any], limits: list[Any], command: Command, who: Context
) -> None:
    """Without a rule that permits requests, every request is denied."""
    silent = {
        name: role | {"allow": [{**rule, "requests": False} for rule in role["allow"]]}
        for name, role in roles.items()
    }
    read = validated({"roles": silent, "limits": limits})

    assert isinstance(policy.request(read, command, who), Denied)


@pytest.mark.parametrize(("channel", "said"), [("D0ALICE", "direct message"), ("C0X", "Invite")])
def test_place_without_the_bot_is_told_in_its_terms(channel: str, said: str) -> None:
    """Nobody is told to invite the bot to a direct message, where that is not possible."""
    assert said in denied(drop(), facts(channel=channel, in_channel=False)).reason
