"""Which rules and limits match a command, its values and its user."""

import pytest

from bot.catalog.registry import by_api
from bot.model.actions import Json
from bot.model.commands import Command
from bot.model.verdicts import Denied, Verdict
from bot.policy.evaluation import decide
from bot.policy.matching import mismatch
from bot.policy.schema import Rule
from tests.support.policies import EXAMPLE, ROLE, denied, drop, facts, load, start, verdict


def test_policy_user_group_grants_membership() -> None:
    """A member of a listed user group has the role, a member of another has not."""
    verdict(drop(), facts("U0CAROL", groups={"S0ONCALL"}))
    assert denied(drop(), facts("U0CAROL", groups={"S0OTHER"})).check == "some_rule_allows"


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


def test_mismatch_says_where_a_rule_counts() -> None:
    """A rule of other channels or accounts is told by where it counts, in words for people."""
    rule = Rule.model_validate({"actions": ["*"], "channels": ["C0INC", "C0LIVE"]})
    assert mismatch(rule, drop(), facts(channel="C0ELSE")) == "counts only in C0INC or C0LIVE"
    nowhere = rule.model_copy(update={"channels": ()})
    assert mismatch(nowhere, drop(), facts()) == "counts in no channel"
    asia = rule.model_copy(update={"channels": None, "accounts": ("asia",)})
    assert mismatch(asia, drop(), facts()) == "counts only on the account asia"
