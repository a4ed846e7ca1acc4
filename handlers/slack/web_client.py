"""The one client that reaches Slack, and who the bot is there."""

import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import SimpleNamespace

import aiohttp
from slack_sdk.web.async_base_client import AsyncBaseClient
from slack_sdk.web.async_client import AsyncWebClient

from bot.addresses import is_loopback
from bot.clock_skew import ClockSkew
from bot.errors import ConfigError, DirectoryError
from handlers.slack.api_calls import AUTH_ERRORS, Answered, Refused, call, without_retries

_ORG_WIDE = (
    "SLACK_BOT_TOKEN: is not of one workspace: the app is installed for a whole organization, and "
    "the bot serves one workspace. On the app's page, open Install App, choose the workspace "
    "itself in place of the organization, and take the bot token that it shows"
)
"""An org-wide install, whose token belongs to no team.

Source: https://docs.slack.dev/enterprise/developing-for-enterprise-orgs
"""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the bot is, according to `auth.test`.

    Attributes:
        user: Its user id, as people mention it.
        bot: Its bot id, as its messages carry it.
        url: Of the workspace.
        scopes: Of the token; empty where Slack did not name them.
        name: The bot's, as people type it after @; empty where Slack did not say.
        workspace: The name of the workspace.
    """

    team: str
    user: str
    bot: str
    url: str
    scopes: frozenset[str]
    name: str = ""
    workspace: str = ""


class RedirectedError(aiohttp.ClientError):
    """A call was answered with a redirect, which is not followed."""


@contextlib.asynccontextmanager
async def web_client(
    token: str, base_url: str, skew: ClockSkew | None = None
) -> AsyncIterator[AsyncWebClient]:
    """Open the one client, on one pooled session and without retries.

    Args:
        skew: Told of the time that each answer names.
    """
    # The SDK looks at the level of this logger alone: without one of its own, every request and its
    # answer would be written out, for nobody.
    logging.getLogger(AsyncBaseClient.__module__).setLevel(logging.WARNING)
    async with aiohttp.ClientSession(
        trace_configs=[_trace(skew)],
        timeout=aiohttp.ClientTimeout(total=30, sock_connect=5),
        connector=aiohttp.TCPConnector(limit=100, keepalive_timeout=60),
    ) as session:
        client = AsyncWebClient(token=token, base_url=base_url, session=session, retry_handlers=[])
        if is_loopback(base_url):
            # The SDK would send even this through a proxy of the environment.
            client.proxy = None
        yield client


def _trace(skew: ClockSkew | None) -> aiohttp.TraceConfig:
    """Return what sees each call: it notes the time, and ends what is led elsewhere.

    The SDK would follow a redirect: it would send there what it sends to Slack, and believe the
    answer. A second trace would cost each call as much as this one.
    """

    async def note(
        _session: aiohttp.ClientSession,
        _context: SimpleNamespace,
        answered: aiohttp.TraceRequestEndParams,
    ) -> None:
        if skew is not None:
            skew.note("Slack", answered.response.headers)

    async def refuse(
        _session: aiohttp.ClientSession,
        _context: SimpleNamespace,
        redirected: aiohttp.TraceRequestRedirectParams,
    ) -> None:
        redirected.response.close()
        raise RedirectedError("a redirect is not followed")

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(note)
    trace.on_request_redirect.append(refuse)
    return trace


async def connect(client: AsyncWebClient) -> Identity:
    """Return who the bot is.

    Raises:
        ConfigError: Slack does not accept the token, or it is of no workspace.
        DirectoryError: Slack did not answer.
    """
    outcome = await call(without_retries(client).auth_test())
    match outcome:
        case Answered(data, headers):
            found = Identity(
                team=str(data.get("team_id") or ""),
                user=str(data.get("user_id") or ""),
                bot=str(data.get("bot_id") or ""),
                url=str(data.get("url") or ""),
                scopes=frozenset(headers.get("x-oauth-scopes", "").replace(" ", "").split(","))
                - {""},
                name=str(data.get("user") or ""),
                workspace=str(data.get("team") or ""),
            )
            if data.get("is_enterprise_install") is True or not found.team.startswith("T"):
                raise ConfigError([_ORG_WIDE])
            if not (found.user and found.bot):
                raise ConfigError(
                    ["SLACK_BOT_TOKEN: is not the token of a bot; take the one that begins xoxb-"]
                )
            return found
        case Refused(code) if code in AUTH_ERRORS:
            raise ConfigError([f"SLACK_BOT_TOKEN: Slack does not take it ({code})"])
        case _:
            raise DirectoryError(f"Slack did not say who the bot is: {outcome.why}.")
