"""Whoami describes roles, permissions and why there are none."""

from dataclasses import replace
from typing import Any

import pytest

from bot.model.people import Person
from bot.operations.results import Permissions
from handlers.messages import (
    rights,
)
from tests.unit.messages.samples import PERMISSIONS, READ, is_harmless


def test_whoami_lists_roles_and_permissions() -> None:
    """Whoami lists roles, permissions, and the roles that may do the rest."""
    message = rights.whoami(Permissions(Person("U0ALICE", "T0HOME"), ("oncall",), PERMISSIONS))

    assert "You are <@U0ALICE>, in `oncall`." in message.text
    assert "*At once*: Stop a live stream (where `StreamName prod-*`)" in message.text
    assert "*With a second person*: " in message.text
    assert "*Only `leads`*: " in message.text
    is_harmless(message)


def test_whoami_says_what_goes_with_a_reason_only() -> None:
    """What needs one of the policy's reasons says so where it is listed."""
    needing = replace(PERMISSIONS[1], where="", reason=True)
    person = Person("U0ALICE", "T0HOME")
    text = rights.whoami(Permissions(person, ("oncall",), (needing,))).text

    assert "*At once*: Stop a live stream (with a reason)" in text
    assert rights.permission_sentence(needing).endswith(", with a reason.")


@pytest.mark.parametrize("flag", ["bot", "guest", "deactivated", "stranger"])
def test_whoami_explains_ineligible_user(flag: str) -> None:
    """Whoami explains why a bot, guest, deactivated or foreign user has no permission."""
    against: dict[str, Any] = {flag: True}
    person = replace(Person("U0ALICE", "T0HOME"), **against)

    text = rights.whoami(Permissions(person, (), PERMISSIONS)).text

    assert rights.INELIGIBLE[flag] in text
    assert "at once" not in text


def test_whoami_joins_actions_of_different_channels() -> None:
    """What is possible in other channels is one line, where each names a channel of its own."""
    first, second, may = PERMISSIONS[0], PERMISSIONS[4], PERMISSIONS[1]
    elsewhere = (replace(first, channels=("C0ONE",)), replace(second, channels=("C0TWO",)))

    text = rights.whoami(
        Permissions(Person("U0ALICE", "T0HOME"), ("oncall",), (may, *elsewhere))
    ).text

    assert "*In other channels*: " in text


def test_whoami_says_how_old_what_is_known_of_groups_is() -> None:
    """Who has just come on call sees whether Slack was asked since; a refusal says it, too."""
    person = Person("U0ALICE", "T0HOME")
    for roles in (("oncall",), ()):
        known = Permissions(person, roles, PERMISSIONS, groups_age=95.4)
        assert "User groups checked 95 s ago." in rights.whoami(known).text
        unnamed = replace(known, groups_age=None)
        assert "User groups" not in rights.whoami(unnamed).text


def test_who_can_do_nothing_is_told_only_of_those_who_can() -> None:
    """Roles that may only read, or what the policy forbids to everyone, can stop nothing."""
    stop = replace(PERMISSIONS[0], approval=None, channels=(), others=("oncall", "leads"))
    read = replace(stop, action=READ, others=("oncall", "auditors"))
    never = replace(stop, forbidden="limits[0]", others=("planners",))
    person = Person("U0MALLORY", "T0HOME")

    for may, said in (
        ((read, stop, never), "You can't stop or start anything here; `oncall` and `leads` can."),
        ((read, never), "You can't stop or start anything here: the policy gives you no role."),
    ):
        assert rights.nothing_at_all(Permissions(person, (), may)) == said
        assert said in rights.whoami(Permissions(person, (), may)).text
