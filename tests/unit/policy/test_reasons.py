"""Reasons of the policy: where one is needed nobody goes without, and elsewhere nothing changes."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.catalog.registry import ALL_ACTIONS, by_api
from bot.errors import ConfigError
from bot.model.actions import Approval
from bot.model.commands import Command
from bot.model.verdicts import Denied, Verdict
from bot.policy import evaluation, explanation
from bot.policy.evaluation import decide
from bot.policy.reasons import may_need_reason
from bot.policy.schema import Policy
from tests.support.policies import drop, facts, load, rank, validated
from tests.support.reasons import REASONS

_HEAD = "reasons:\n  copyright: {text: asked for by a rights holder}\n"
_REQUIRED = {"reason": "required"}
_RULES = st.fixed_dictionaries(
    {"actions": st.sampled_from([["*"], ["Forbid*"], ["Drop*", "Forbid*"]])},
    optional={
        "approval": st.sampled_from(["none", "confirm", "second-person"]),
        "reason": st.just("required"),
        "requests": st.booleans(),
        "break_glass": st.just(value=True),
    },
)
_ROLES = st.dictionaries(
    st.sampled_from(["a", "b"]),
    st.fixed_dictionaries(
        {
            "members": st.just({"users": ["U0ALICE"]}),
            "allow": st.lists(_RULES, max_size=3),
        }
    ),
    max_size=2,
)
_LIMITS = st.lists(
    st.fixed_dictionaries(
        {"actions": st.sampled_from([["*"], ["Forbid*"]])},
        optional={"approval": st.just("confirm"), "reason": st.just("required")},
    ).filter(lambda one: len(one) > 1),
    max_size=2,
)
_WHO = st.sampled_from([facts("U0ALICE"), facts("U0MALLORY")])


def ban(reason: str = "") -> Command:
    found = by_api("ForbidLiveStream")
    return Command(found, {"StreamName": "s", "DomainName": "a.example.com"}, reason=reason)


_COMMANDS = st.sampled_from([drop(), ban(), Command(by_api("DescribeLiveStreamState"), {})])


def policy(roles: dict[str, Any], limits: list[Any]) -> Policy:
    reasons = {"copyright": {"text": "asked for by a rights holder"}}
    return validated({"roles": roles, "limits": limits, "reasons": reasons})


def wanting(entry: dict[str, Any], command: Command) -> bool:
    api = command.action.api
    covers = any(one == "*" or api.startswith(one[:-1]) for one in entry["actions"])
    return covers and "reason" in entry and not api.startswith("Describe")


@given(_ROLES, _LIMITS, _COMMANDS, _WHO, st.sampled_from(["", "gone", "Copyright"]))
def test_without_a_reason_nothing_that_needs_one_is_allowed(
    roles: dict[str, Any], limits: list[Any], command: Command, who: Any, wrong: str
) -> None:
    """What is allowed without a reason is wanted by no limit, and by some rule without one."""
    read = policy(roles, limits)
    for judge in (decide, evaluation.request):
        verdict = judge(read, replace(command, reason=wrong), who)
        if not isinstance(verdict, Verdict):
            continue
        assert not any(wanting(limit, command) for limit in limits)
        rules = {
            f"roles.{name}.allow[{at}]": rule
            for name, role in roles.items()
            for at, rule in enumerate(role["allow"])
        }
        used = [verdict.rule.split(" + ")[0], *filter(None, [verdict.break_glass_rule])]
        assert not any(wanting(rules[path], command) for path in used)


@given(_ROLES, _LIMITS, _COMMANDS, _WHO)
def test_a_reason_never_makes_it_stricter(
    roles: dict[str, Any], limits: list[Any], command: Command, who: Any
) -> None:
    """With a reason of the policy, a verdict is as without the word `reason` in the file."""
    bare_roles = {
        name: role | {"allow": [_without(rule) for rule in role["allow"]]}
        for name, role in roles.items()
    }
    bare_limits = [left for one in limits if len(left := _without(one)) > 1]
    free = decide(policy(bare_roles, bare_limits), command, who)
    given_one = decide(policy(roles, limits), replace(command, reason="copyright"), who)

    assert rank(given_one) == rank(free)


def _without(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name != "reason"}


@given(_ROLES, _LIMITS, _COMMANDS, _WHO)
def test_a_button_asks_for_each_reason_that_would_be_missing(
    roles: dict[str, Any], limits: list[Any], command: Command, who: Any
) -> None:
    """What would be denied for its missing reason is asked for one before it is recorded."""
    read = policy(roles, limits)
    for judge in (decide, evaluation.request):
        verdict = judge(read, command, who)
        if isinstance(verdict, Denied) and verdict.check == "reason":
            assert may_need_reason(read, command)
    assert not may_need_reason(read, replace(command, reason="copyright"))


def test_denial_lists_the_codes() -> None:
    """A missing reason is one sentence with the codes, and names where they come from."""
    verdict = decide(load(REASONS), ban(), facts("U0ALICE"))

    assert verdict == Denied(
        "reason",
        "This needs a reason: add reason=CODE, one of copyright, court-order.",
        "reasons",
    )


def test_rule_without_reason_is_left_to_those_who_give_none() -> None:
    """Where one rule wants a reason and a stricter one does not, either way in is open."""
    text = _HEAD + (
        "roles:\n  a:\n    members: {users: [U0ALICE]}\n    allow:\n"
        '      - {actions: ["*"], reason: required}\n'
        '      - {actions: ["*"], approval: confirm}\n'
    )
    free = decide(load(text), ban(), facts("U0ALICE"))
    coded = decide(load(text), ban("copyright"), facts("U0ALICE"))

    assert isinstance(free, Verdict)
    assert isinstance(coded, Verdict)
    assert (free.approval, coded.approval) == (Approval.CONFIRM, Approval.NONE)


def test_reads_and_holds_need_no_reason() -> None:
    """Neither a read nor a hold is asked for a reason, also under a limit for everything."""
    everything = REASONS.replace('["Forbid*"]', '["*"]')
    for action in ALL_ACTIONS:
        verdict = decide(load(everything), Command(action, {}), facts("U0ALICE"))
        assert isinstance(verdict, Denied) == action.takes_reason


def test_explanation_says_where_a_reason_is_needed() -> None:
    """`policy explain` names each rule and limit that wants a reason."""
    text = REASONS.replace("approval: confirm, requests: true", "reason: required")
    lines = explanation.explain(load(text), ban(), facts("U0BOB")).lines

    assert "roles.leads.allow[0]: allows it with a reason only, approval: none" in lines
    assert "limits[0]: asks for a reason" in lines


def test_permissions_say_where_a_reason_is_needed() -> None:
    """What goes with a reason only is told so, by a limit for everyone or by the rule."""
    rule = {"actions": ["Drop*", "Describe*"], **_REQUIRED}
    roles = {"a": {"members": {"users": ["U0ALICE"]}, "allow": [rule, {"actions": ["Forbid*"]}]}}
    actions = [drop().action, ban().action, by_api("DescribeLiveStreamState")]

    def needing(limits: list[Any]) -> list[bool]:
        of = explanation.permissions_for(policy(roles, limits), facts("U0ALICE"), actions)
        return [one.reason for one in of]

    assert needing([]) == [True, False, False]
    assert needing([{"actions": ["*"], **_REQUIRED}]) == [True, True, False]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("limits:\n  - {actions: ['*'], reason: required}\n", "the file has no reasons"),
        (
            _HEAD + "limits:\n  - {actions: ['Describe*'], reason: required}\n",
            "never asked for a read or a hold",
        ),
        (_HEAD + "limits:\n  - {actions: ['*'], reason: needed}\n", "limits[0].reason"),
        (
            _HEAD + "limits:\n  - {actions: ['*'], reason: required, deny: true}\n",
            "either deny: true",
        ),
        ("reasons:\n  Copy Right: {text: x}\n", "small letters"),
        ("reasons:\n  copyright: {txt: x}\n", "txt"),
        ("reasons:\n  copyright: {text: ''}\n", "text"),
        (_HEAD + "defaults:\n  ban: {Reason: spam}\n", "given by its code"),
    ],
)
def test_reasons_that_mean_nothing_stop_the_start(text: str, says: str) -> None:
    """A misspelt or pointless entry is a problem with its place, never ignored."""
    with pytest.raises(ConfigError) as caught:
        load(text)

    assert says in "\n".join(caught.value.problems)
