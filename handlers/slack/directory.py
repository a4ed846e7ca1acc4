"""Looks up in Slack who someone is and where the bot is, and caches the answers for a while."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

import structlog
from cachetools import TTLCache
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import DirectoryError
from bot.model.people import Actor, Person, Presence, UsersByName
from handlers.slack.api_calls import AUTH_ERRORS, Answered, Outcome, Refused, call, without_retries
from handlers.slack.user_list import ListFailedError, UserList, fetch_users

log = structlog.get_logger("stopstream.directory")

TIMEOUT = 3.0
"""Seconds for one look-up."""

USERS_TTL, GROUPS_TTL, PRESENCE_TTL, LIST_TTL = 60.0, 120.0, 300.0, 600.0
"""Seconds for which an answer is cached.

A group's changes also come as events, but each to one replica alone, and some never. Slack lets a
group be read 20 times a minute, over all groups and replicas.
"""

SLACKBOT = "USLACKBOT"

K = TypeVar("K")
V = TypeVar("V")


class _Cache(Generic[K, V]):
    """Answers by key: cached for a while, and fetched once for all callers that wait.

    A failure is not cached.
    """

    def __init__(self, most: int, seconds: float, clock: Callable[[], float]) -> None:
        self._values: TTLCache[K, V] = TTLCache(most, seconds, timer=clock)
        self._pending: dict[K, asyncio.Task[V]] = {}
        self._asked_at: TTLCache[K, float] = TTLCache(most, seconds, timer=clock)
        self._clock = clock

    async def get(self, key: K, fetch: Callable[[], Awaitable[V]]) -> V:
        known = self.peek(key)
        if known is not None:
            return known
        task = self._pending.get(key)
        if task is None:
            task = self._pending[key] = asyncio.create_task(_run(fetch))
            asked_at = self._clock()
            task.add_done_callback(lambda done: self._store(key, done, asked_at))
        # A cancelled caller must not cancel the others' answer.
        return await asyncio.shield(task)

    def peek(self, key: K) -> V | None:
        # Not `get`, which looks twice: this is asked before each ack.
        try:
            return self._values[key]
        except KeyError:
            return None

    def age(self, key: K) -> float | None:
        """Return the seconds since a cached answer was asked for."""
        asked_at = self._asked_at.get(key)
        return None if asked_at is None else self._clock() - asked_at

    def forget(self, key: K) -> None:
        self._values.pop(key, None)
        self._asked_at.pop(key, None)
        self._pending.pop(key, None)

    def _store(self, key: K, task: "asyncio.Task[V]", asked_at: float) -> None:
        current = self._pending.get(key) is task
        if current:
            del self._pending[key]
        # If it was forgotten meanwhile, the answer may be older than the change.
        if not task.cancelled() and task.exception() is None and current:
            self._values[key] = task.result()
            self._asked_at[key] = asked_at


class Directory:
    """Looks people, user groups and channels up.

    Args:
        team: The workspace the bot belongs to.
        clock: Seconds, for the cache alone.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        *,
        team: str,
        clock: Callable[[], float] = time.monotonic,
        timeout: float = TIMEOUT,
    ) -> None:
        self._client = without_retries(client)
        self._team = team
        self._timeout = timeout
        self._users: _Cache[Actor, Person] = _Cache(10_000, USERS_TTL, clock)
        self._groups: _Cache[str, frozenset[str]] = _Cache(500, GROUPS_TTL, clock)
        self._listed: _Cache[str, UserList] = _Cache(1, LIST_TTL, clock)
        self._channels: _Cache[str, Presence] = _Cache(5_000, PRESENCE_TTL, clock)

    async def person(self, actor: Actor) -> Person:
        """Look a user up.

        Raises:
            DirectoryError: Slack did not answer, or knows no such user.
        """
        return await self._users.get(actor, lambda: self._fetch_person(actor))

    def known(self, actor: Actor) -> Person | None:
        """Return what was looked up of a user a moment ago; None where nothing is known."""
        return self._users.peek(actor)

    async def groups(self, user: str, among: frozenset[str]) -> frozenset[str]:
        """Return those of the user groups `among` that the user is in.

        Raises:
            DirectoryError: A group could not be read.
        """
        ordered = sorted(among)
        members = await asyncio.gather(*(self._members(group) for group in ordered))
        return frozenset(g for g, users in zip(ordered, members, strict=True) if user in users)

    def groups_age(self, among: frozenset[str]) -> float | None:
        """Return how old the oldest known list of members is, in seconds; None if none is known."""
        ages = [age for group in among if (age := self._groups.age(group)) is not None]
        return max(ages, default=None)

    async def called(self, name: str) -> UsersByName:
        """Return who has a name; the list of users is cached.

        Raises:
            DirectoryError: Slack did not answer.
        """
        listed = await self._listed.get("", self._fetch_list)
        return listed.called(name)

    async def presence(self, channel: str) -> Presence:
        """Return whether the bot is in a channel. Only a yes is cached."""
        try:
            return await self._channels.get(channel, lambda: self._fetch_presence(channel))
        except _NotInError as error:
            return error.presence

    def forget_group(self, group: str) -> None:
        """Fetch the members of a user group again."""
        self._groups.forget(group)

    def forget_channel(self, channel: str) -> None:
        """Fetch again whether the bot is in a channel."""
        self._channels.forget(channel)

    async def _fetch_person(self, actor: Actor) -> Person:
        outcome = await call(self._client.users_info(user=actor.user), self._timeout)
        match outcome:
            case Answered(data) if isinstance(user := data.get("user"), dict):
                return _person(actor, user, self._team)
            case Refused("user_not_found" | "user_not_visible"):
                raise DirectoryError(
                    "Slack knows no such user, so nobody can say what they may do."
                )
            case _:
                raise DirectoryError(_sentence("who you are", outcome))

    async def _fetch_list(self) -> UserList:
        try:
            return await fetch_users(self._client, self._team, self._timeout)
        except ListFailedError as error:
            raise DirectoryError(_sentence("who is called that", error.outcome)) from None

    async def _members(self, group: str) -> frozenset[str]:
        return await self._groups.get(group, lambda: self._fetch_members(group))

    async def _fetch_members(self, group: str) -> frozenset[str]:
        request = self._client.usergroups_users_list(usergroup=group, team_id=self._team)
        outcome = await call(request, self._timeout)
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

    async def _fetch_presence(self, channel: str) -> Presence:
        outcome = await call(self._client.conversations_info(channel=channel), self._timeout)
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
    """Anything but a yes, raised so that it is not cached."""

    def __init__(self, presence: Presence) -> None:
        super().__init__(presence.value)
        self.presence = presence


async def _run(fetch: Callable[[], Awaitable[V]]) -> V:
    return await fetch()


def _person(actor: Actor, user: Mapping[str, Any], home: str) -> Person:
    """Read Slack's user object; an unclear flag counts as set.

    Source: https://docs.slack.dev/reference/objects/user-object
    """
    team = _text(user.get("team_id")) or actor.team
    enterprise = user.get("enterprise_user")
    teams = enterprise.get("teams") if isinstance(enterprise, dict) else None
    if isinstance(teams, list) and home in teams:
        # In an organisation of several workspaces, `team_id` may name another one of theirs.
        team = home
    # Outside of an organisation, a delivery for a member of another workspace is none of a member.
    elsewhere = actor.team != home and not isinstance(teams, list)
    return Person(
        user=actor.user,
        team=team,
        bot=_flag(user, "is_bot") or actor.user == SLACKBOT,
        guest=_flag(user, "is_restricted") or _flag(user, "is_ultra_restricted"),
        deactivated=_flag(user, "deleted"),
        stranger=_flag(user, "is_stranger") or team != home or not home or elsewhere,
    )


def _flag(user: Mapping[str, Any], name: str) -> bool:
    """Return whether a flag is set; one that is no boolean counts as set."""
    return user.get(name, False) is not False


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _sentence(what: str, outcome: Outcome) -> str:
    match outcome:
        case Refused("ratelimited"):
            return f"Slack is asked too often at the moment and did not say {what}."
        case Refused(code) if code in AUTH_ERRORS:
            return f"Slack does not let me ask {what} ({code}); the bot's owner must fix it."
        case Answered():
            return f"Slack's answer did not say {what}."
        case _:
            return f"Slack did not say {what} ({outcome.why})."
