"""Who is called by a name: the users of the workspace, by the names that Slack shows.

Source: https://docs.slack.dev/reference/methods/users.list
"""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.model.people import NamedUser, UsersByName
from handlers.slack.api_calls import Answered, Outcome, call

PAGES_MOST, _PAGE = 10, 1000
"""How many pages of how many users are read; Slack allows 20 pages a minute."""


class ListFailedError(Exception):
    """A page was not answered."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__("the list of users")
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class UserList:
    """The users by their folded names.

    Attributes:
        complete: Whether there are no more than were read.
    """

    by_name: Mapping[str, tuple[NamedUser, ...]]
    complete: bool

    def called(self, name: str) -> UsersByName:
        """Return who has exactly this name, whatever its case and width."""
        return UsersByName(self.by_name.get(fold_name(name), ()), self.complete)


def fold_name(name: str) -> str:
    """Return a name as names are compared."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().removeprefix("@").split())


async def fetch_users(client: AsyncWebClient, team: str, patience: float) -> UserList:
    """Read the users of a workspace, deactivated ones included.

    Args:
        patience: Seconds that each page may take.

    Raises:
        ListFailedError: Slack did not answer one of the pages.
    """
    found: dict[str, dict[str, NamedUser]] = {}
    cursor = ""
    for _ in range(PAGES_MOST):
        request = client.users_list(limit=_PAGE, cursor=cursor, team_id=team)
        outcome = await call(request, patience)
        data = outcome.data if isinstance(outcome, Answered) else {}
        if not isinstance(members := data.get("members"), list):
            raise ListFailedError(outcome)
        for member in members:
            for name, user in _names(member):
                found.setdefault(name, {})[user.user] = user
        meta = data.get("response_metadata")
        cursor = str(meta.get("next_cursor") or "") if isinstance(meta, dict) else ""
        if not cursor:
            break
    return UserList({name: tuple(users.values()) for name, users in found.items()}, not cursor)


def _names(member: Any) -> Iterator[tuple[str, NamedUser]]:
    """Yield the folded names of a user; an app asks for nothing, so it has none."""
    if not isinstance(member, dict) or member.get("is_bot") is True:
        return
    profile = member.get("profile")
    profile = profile if isinstance(profile, dict) else {}
    shown = [profile.get("display_name"), profile.get("real_name"), member.get("real_name")]
    names = [name for name in (*shown, member.get("name")) if isinstance(name, str) and name]
    id_ = member.get("id")
    if isinstance(id_, str) and id_ and names:
        user = NamedUser(id_, names[0], str(member.get("name", "")))
        yield from ((fold_name(name), user) for name in dict.fromkeys(names))
