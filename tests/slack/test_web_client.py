"""Who the bot is, according to Slack."""

import pytest

from bot.errors import ConfigError, DirectoryError
from handlers.slack.web_client import connect
from tests.support.fake_slack import BOT_USER, TEAM, Fault, slack


async def test_connect_returns_bot_identity() -> None:
    """Connecting returns the team, user, bot ID and scopes of the bot token."""
    async with slack() as (_, client):
        identity = await connect(client)

    assert (identity.team, identity.user, identity.bot) == (TEAM, BOT_USER, "B0BOT")
    assert identity.scopes == {"chat:write", "commands"}


@pytest.mark.parametrize("code", ["invalid_auth", "account_inactive", "token_revoked"])
async def test_connect_names_rejected_bot_token(code: str) -> None:
    """A bot token that Slack rejects raises a configuration error that names it."""
    async with slack() as (fake, client):
        fake.fails("auth.test", Fault(code))

        with pytest.raises(ConfigError, match=f"SLACK_BOT_TOKEN: .*{code}"):
            await connect(client)


async def test_connect_separates_slack_failure_from_config_error() -> None:
    """A failure on the side of Slack is not reported as a configuration error."""
    async with slack() as (fake, client):
        fake.fails("auth.test", Fault("internal_error"))

        with pytest.raises(DirectoryError):
            await connect(client)
