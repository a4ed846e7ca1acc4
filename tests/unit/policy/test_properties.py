"""Properties of every policy: a reduction never grants more, and the explanation agrees."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot.catalog.registry import ACTIONS
from bot.model.actions import Approval
from bot.model.commands import Command
from bot.model.verdicts import Denied, Verdict
from bot.policy import evaluation as policy
from bot.policy import explanation, matching
from bot.policy.evaluation import decide
from bot.policy.matching import Context
from tests.support.policies import TEAM, drop, facts, rank, start, validated

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
