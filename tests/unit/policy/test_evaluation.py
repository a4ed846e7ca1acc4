"""Who may do what: default deny, and nothing absent, empty or misspelt ever widens it."""

import pytest

from bot.catalog.registry import by_api
from bot.model.actions import Approval
from bot.model.commands import Command
from bot.model.verdicts import Verdict
from bot.policy import evaluation as policy
from bot.policy.matching import Context
from tests.support.policies import EXAMPLE, denied, drop, facts, load, start, verdict


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
    assert "Nobody can" in denied(drop(), facts(), "roles: {}").reason


@pytest.mark.parametrize("text", ["roles: {}", "roles: {a: {allow: [{actions: ['*']}]}}"])
def test_policy_empty_allows_nothing(text: str) -> None:
    """An empty policy, or a role without members, allows nothing."""
    denied(drop(), facts(), text)


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
    assert "Only oncall" in may_approve(facts("U0BOB"))
    assert may_approve(facts("U0BOB"), ("oncall", "leads")) == ""
    assert "Nobody can" in may_approve(facts("U0BOB"), ())
    assert may_approve(facts("U0CAROL", guest=True))
    assert may_approve(facts("U0CAROL", team="T0OTHER"))
    denying = CONSENT.replace("roles:", "  - {actions: [Drop*], deny: true}\nroles:")
    assert "forbids" in may_approve(facts("U0CAROL"), text=denying)


@pytest.mark.parametrize(("channel", "said"), [("D0ALICE", "direct message"), ("C0X", "Invite")])
def test_place_without_the_bot_is_told_in_its_terms(channel: str, said: str) -> None:
    """Nobody is told to invite the bot to a direct message, where that is not possible."""
    assert said in denied(drop(), facts(channel=channel, in_channel=False)).reason
