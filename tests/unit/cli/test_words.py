"""Lines of the terminal: words for people, and numbers with what they count."""

import argparse
from dataclasses import replace
from pathlib import Path

import pytest

from bot.catalog.registry import ALL_ACTIONS
from bot.cli.cam_policy import cam_policy
from bot.cli.output import counted
from bot.cli.settings import read_settings
from bot.commands.parser import parse
from bot.errors import ConfigError, ParseError
from bot.model.actions import Effect
from tests.support.policies import ROLE
from tests.unit.messages.samples import VOCABULARY

ACCOUNTS = (
    "accounts: {asia: {}, europe: {secret_id: EU_ID, secret_key: EU_KEY}}\n"
    "roles: {a: {members: {users: [U0A]}, allow: [{actions: ['*'], accounts: ['*']}]}}\n"
)


def test_numbers_agree_with_what_they_count() -> None:
    """One is no plural, none is."""
    assert [counted(n, "record") for n in (0, 1, 2)] == ["0 records", "1 record", "2 records"]


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        (ACCOUNTS, '--account: there is no account "foo"; there are asia, europe'),
        (ROLE + "actions: ['*']", "--account: the policy names no accounts; leave it out"),
    ],
)
async def test_cam_policy_names_the_accounts_that_are_there(
    tmp_path: Path, policy: str, why: str
) -> None:
    """An account that is not there is refused with those that are."""
    (tmp_path / "policy.yml").write_text(policy)
    settings = read_settings(STOPSTREAM_POLICY=str(tmp_path / "policy.yml"))

    with pytest.raises(ConfigError) as caught:
        await cam_policy(settings, argparse.Namespace(account="foo"))

    assert caught.value.problems == (why,)


def test_hold_without_a_reason_says_what_to_add() -> None:
    """What to type stands apart from what it is for."""
    vocabulary = replace(VOCABULARY, actions=ALL_ACTIONS)
    with pytest.raises(ParseError) as caught:
        parse("hold live stream1", verb=Effect.STOP, vocabulary=vocabulary, now=0.0)

    assert caught.value.sentence == (
        "reason is missing: add reason=REASON (why, for anyone who wants to start it)."
    )
