"""Who the bot is, according to Slack."""

import asyncio
import json
import logging
from typing import Any

import pytest
from slack_sdk.web.async_base_client import AsyncBaseClient

from bot.clock_skew import ClockSkew
from bot.errors import ConfigError, DirectoryError
from handlers.slack.api_calls import UnknownOutcome, call, with_rate_limit_retries
from handlers.slack.web_client import connect
from tests.support.fake_slack import BOT_USER, TEAM, Fault, slack
from tests.support.waiting import BOUND


async def test_connect_returns_bot_identity() -> None:
    """Connecting returns the team, user, bot ID and scopes of the bot token."""
    async with slack() as (_, client):
        identity = await connect(client)

    assert (identity.team, identity.user, identity.bot) == (TEAM, BOT_USER, "B0BOT")
    assert identity.scopes == {"chat:write", "commands"}


async def test_client_notes_slacks_time() -> None:
    """Each answer of Slack tells what time it is there."""
    skew = ClockSkew(clock=lambda: 0.0)
    async with slack(skew) as (_, client):
        await connect(client)

    (one,) = skew.each()
    assert one.service == "Slack"
    assert skew.excess() is not None


async def test_request_and_answer_are_not_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK writes both out for its log at each call, unless its own logger has a level."""
    written = list[str]()
    logger = logging.getLogger(AsyncBaseClient.__module__)
    monkeypatch.setattr(logger, "level", logging.NOTSET)
    monkeypatch.setattr(logger, "debug", written.append)
    async with slack() as (_, client):
        await connect(client)

    assert written == []


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


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_not_followed(status: int) -> None:
    """Where Slack's answer leads elsewhere, nothing is sent there and nobody there is believed."""
    async with slack() as (fake, client), slack() as (elsewhere, _):
        there = str(elsewhere.server.make_url("/api/auth.test"))
        fake.fails("auth.test", Fault(status=status, headers={"Location": there}))
        fake.fails("chat.postMessage", Fault(status=status, headers={"Location": there}))

        with pytest.raises(DirectoryError, match="RedirectedError"):
            await connect(client)
        posted = await call(client.chat_postMessage(channel="C0INC", text="a stream's name"))
        assert isinstance(posted, UnknownOutcome)
        assert elsewhere.calls == []

        assert (await connect(client)).team == TEAM


@pytest.mark.parametrize(
    "said",
    [
        {"is_enterprise_install": True, "enterprise_id": "E1", "team_id": "E1"},
        {"is_enterprise_install": True, "enterprise_id": "E1", "team_id": "T1"},
        {"enterprise_id": "E1", "team_id": "E1"},
        {"enterprise_id": "E1", "team_id": None},
        {},
    ],
)
async def test_connect_names_an_org_wide_install(said: dict[str, Any]) -> None:
    """A token of a whole organization is a configuration error that says what to do."""
    body = json.dumps({"ok": True, "user_id": BOT_USER, "bot_id": "B0BOT"} | said)
    async with slack() as (fake, client):
        fake.fails("auth.test", Fault(body=body))

        with pytest.raises(ConfigError, match="choose the workspace itself"):
            await connect(client)


async def test_call_that_is_repeated_waits_no_day() -> None:
    """Where a limited call is repeated, a Retry-After of a day ends it at the call's own bound."""
    async with slack() as (fake, client), asyncio.timeout(BOUND):
        fake.fails("users.info", Fault("ratelimited", status=429, headers={"Retry-After": "86400"}))
        outcome = await call(with_rate_limit_retries(client).users_info(user="U0ALICE"), 0.1)

    assert isinstance(outcome, UnknownOutcome)
