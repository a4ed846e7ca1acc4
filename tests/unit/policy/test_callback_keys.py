"""The callback keys that the policy's accounts name."""

import pytest

from bot.cli.live_source import callback_keys
from bot.cli.settings import read_settings
from bot.errors import ConfigError
from bot.policy.loader import LoadedPolicy, loader

POLICY = """
accounts:
  main: {}
  events: {secret_id: EV_ID, secret_key: EV_KEY, callback_key: EV_CALLBACK_KEY}
roles:
  leads: {members: {users: [U0BOB]}, allow: [{actions: ["*"], accounts: ["*"]}]}
"""
OURS, THEIRS, NEXT = "the-key-of-the-bot", "the-key-of-events", "the-next-key-of-events"


def loaded(text: str = POLICY, callback_key: str | None = THEIRS) -> LoadedPolicy:
    held = {"EV_ID": "AKIDabcdefgh", "EV_KEY": "secretsecret", "EV_CALLBACK_KEY": callback_key}
    return loader(source="policy.yml", sites={}, region="", now=0.0, variable=held.get)(text)


def test_each_account_has_the_keys_of_its_variable() -> None:
    """The setting's key is of the account with the bot's own key; two may hold at once."""
    settings = read_settings(STOPSTREAM_LIVE_CALLBACK_KEY=OURS)
    policy = loaded(callback_key=f"{THEIRS},{NEXT}")
    assert callback_keys(settings, policy) == {"main": (OURS,), "events": (THEIRS, NEXT)}
    assert callback_keys(read_settings(), policy) == {"events": (THEIRS, NEXT)}
    assert THEIRS not in repr(policy)


def test_setting_is_of_no_account_where_none_has_the_bots_own_key() -> None:
    """A key that could be of several accounts is of none."""
    text = POLICY.replace("main: {}", "main: {secret_id: EV_ID, secret_key: EV_KEY}")
    settings = read_settings(STOPSTREAM_LIVE_CALLBACK_KEY=OURS)
    assert callback_keys(settings, loaded(text)) == {"events": (THEIRS,)}


@pytest.mark.parametrize(("value", "why"), [(None, "is not set"), ("hunter2", "can be guessed")])
def test_callback_key_that_cannot_be_used_is_a_problem(value: str | None, why: str) -> None:
    """The problem names the variable, and shows nothing of the key."""
    with pytest.raises(ConfigError) as caught:
        loaded(callback_key=value)
    (problem,) = caught.value.problems
    assert "EV_CALLBACK_KEY" in problem
    assert why in problem
    assert "hunter2" not in problem
