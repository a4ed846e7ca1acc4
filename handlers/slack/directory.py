"""Answers who someone is and where the bot is: asks Slack, and remembers it for a short while."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

import structlog
from cachetools import TTLCache
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import DirectoryError
from bot.model.people import Actor, Person, Presence
from handlers.slack.api_calls import AUTH, Answered, Outcome, Refused, call, without_retries

log = structlog.get_logger("stopstream.directory")

PATIENCE = 3.0
"""Seconds for one look-up."""

USERS_FOR, GROUPS_FOR, PRESENCE_FOR = 60.0, 300.0, 300.0
"""Seconds for which an answer is remembered. A group's changes come as events besides."""

SLACKBOT = "USLACKBOT"

K = TypeVar("K")
V = TypeVar("V")


class _Remembered(Generic[K, V]):
    """Answers by key: remembered for a while, asked for once however many wait.

    What fails is not remembered.
    """

    def __init__(self, most: int, seconds: float, clock: Callable[[], float]) -> None:
        self._known: TTLCache[K, V] = TTLCache(most, seconds, timer=clock)
        self._asked: dict[K, asyncio.Task[V]] = {}

    async def get(self, key: K, ask: Callable[[], Awaitable[V]]) -> V:
        known = self._known.get(key)
        if known is not None:
            return known
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.create_task(_run(ask))
            task.add_done_callback(lambda done: self._answered(key, done))
        # One who gives up must not take the answer from the others.
        return await asyncio.shield(task)

    def forget(self, key: K) -> None:
        self._known.pop(key, None)
        self._asked.pop(key, None)

    def _answered(self, key: K, task: "asyncio.Task[V]") -> None:
        current = self._asked.get(key) is task
        if current:
            del self._asked[key]
        # Forgotten meanwhile: the answer may be older than the change.
        if not task.cancelled() and task.exception() is None and current:
            self._known[key] = task.result()


class Directory:
    """Looks people, user groups and channels up.

    Args:
        team: The workspace the bot belongs to.
        clock: Seconds, for the memory alone.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        *,
        team: str,
        clock: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE,
    ) -> None:
        self._client = without_retries(client)
        self._team = team
        self._patience = patience
        self._users: _Remembered[Actor, Person] = _Remembered(10_000, USERS_FOR, clock)
        self._groups: _Remembered[str, frozenset[str]] = _Remembered(500, GROUPS_FOR, clock)
        self._channels: _Remembered[str, Presence] = _Remembered(5_000, PRESENCE_FOR, clock)

    async def person(self, actor: Actor) -> Person:
        """Look a user up.

        Raises:
            DirectoryError: Slack did not answer, or knows no such user.
        """
        return await self._users.get(actor, lambda: self._ask_person(actor))

    async def groups(self, user: str, among: frozenset[str]) -> frozenset[str]:
        """Give those of the user groups `among` that the user is in.

        Raises:
            DirectoryError: A group could not be read.
        """
        ordered = sorted(among)
        members = await asyncio.gather(*(self._members(group) for group in ordered))
        return frozenset(g for g, users in zip(ordered, members, strict=True) if user in users)

    async def presence(self, channel: str) -> Presence:
        """Say whether the bot is in a channel. Only a yes is remembered."""
        try:
            return await self._channels.get(channel, lambda: self._ask_presence(channel))
        except _NotInError as error:
            return error.presence

    def forget_group(self, group: str) -> None:
        """Ask Slack again who is in a user group."""
        self._groups.forget(group)

    def forget_channel(self, channel: str) -> None:
        """Ask Slack again whether the bot is in a channel."""
        self._channels.forget(channel)

    # --- asking --------------------------------------------------------------------

    async def _ask_person(self, actor: Actor) -> Person:
        outcome = await call(self._client.users_info(user=actor.user), self._patience)
        match outcome:
            case Answered(data) if isinstance(user := data.get("user"), dict):
                return _person(actor, user, self._team)
            case Refused("user_not_found" | "user_not_visible"):
                raise DirectoryError(
                    "Slack knows no such user, so nobody can say what they may do."
                )
            case _:
                raise DirectoryError(_sentence("who you are", outcome))

    async def _members(self, group: str) -> frozenset[str]:
        return await self._groups.get(group, lambda: self._ask_members(group))

    async def _ask_members(self, group: str) -> frozenset[str]:
        request = self._client.usergroups_users_list(usergroup=group, team_id=self._team)
        outcome = await call(request, self._patience)
        match outcome:
            case Answered(data) if isinstance(users := data.get("users"), list):
                return frozenset(user for user in users if isinstance(user, str))
            case Refused("no_such_subteam"):
                # A group that is gone has no members; it must not shut out everyone else.
                log.warning("the policy names a user group that does not exist", group=group)
                return frozenset()
            case Refused("plan_upgrade_required"):
                raise DirectoryError(
                    "The policy names user groups, which this Slack plan does not have."
                )
            case _:
                raise DirectoryError(_sentence("who is in a user group of the policy", outcome))

    async def _ask_presence(self, channel: str) -> Presence:
        outcome = await call(self._client.conversations_info(channel=channel), self._patience)
        match outcome:
            case Answered(data) if isinstance(found := data.get("channel"), dict):
                if found.get("is_im") is True or found.get("is_member") is True:
                    return Presence.IN
                out = found.get("is_member") is False
                raise _NotInError(Presence.OUT if out else Presence.UNKNOWN)
            case Refused("channel_not_found"):
                raise _NotInError(Presence.OUT)
            case _:
                log.warning("Slack did not say whether the bot is in a channel", channel=channel)
                raise _NotInError(Presence.UNKNOWN)


class _NotInError(Exception):
    """Anything but a yes, so that it is not remembered."""

    def __init__(self, presence: Presence) -> None:
        super().__init__(presence.value)
        self.presence = presence


async def _run(ask: Callable[[], Awaitable[V]]) -> V:
    return await ask()


def _person(actor: Actor, user: Mapping[str, Any], home: str) -> Person:
    """Read Slack's user object; what it does not say of a right counts against them.

    Source: https://docs.slack.dev/reference/objects/user-object
    """
    team = _text(user.get("team_id")) or actor.team
    enterprise = user.get("enterprise_user")
    teams = enterprise.get("teams") if isinstance(enterprise, dict) else None
    if isinstance(teams, list) and home in teams:
        # In an organisation of several workspaces, `team_id` may name another one of theirs.
        team = home
    return Person(
        user=actor.user,
        team=team,
        bot=_says(user, "is_bot") or actor.user == SLACKBOT,
        guest=_says(user, "is_restricted") or _says(user, "is_ultra_restricted"),
        deactivated=_says(user, "deleted"),
        stranger=_says(user, "is_stranger") or team != home or not home,
    )


def _says(user: Mapping[str, Any], name: str) -> bool:
    """Say whether a flag stands against them; one that is no boolean does."""
    return user.get(name, False) is not False


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _sentence(what: str, outcome: Outcome) -> str:
    match outcome:
        case Refused("ratelimited"):
            return f"Slack is asked too often at the moment and did not say {what}."
        case Refused(code) if code in AUTH:
            return f"Slack does not let me ask {what} ({code}); whoever runs this bot must mend it."
        case Answered():
            return f"Slack's answer did not say {what}."
        case _:
            return f"Slack did not say {what} ({outcome.why})."
