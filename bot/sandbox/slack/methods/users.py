"""`auth.*`, `users.*`, `usergroups.*` and `apps.*`: people, and the app itself.

Source: https://docs.slack.dev/reference/methods/users.info
"""

import base64
from collections.abc import Mapping
from typing import Any

from bot.sandbox.slack.methods.arguments import Arguments, Method, SlackError
from bot.sandbox.slack.state import WorkspaceState


def _auth_test(state: WorkspaceState, _args: Arguments) -> Mapping[str, Any]:
    return {
        "url": f"https://{state.domain}.slack.com/",
        "team": state.domain,
        "user": "stopstream",
        "team_id": state.team,
        "user_id": state.bot_user,
        "bot_id": state.bot_id,
    }


def _open_connection(state: WorkspaceState, _args: Arguments) -> Mapping[str, Any]:
    return {"url": state.delivery.socket_url()}


def _user_info(state: WorkspaceState, args: Arguments) -> Mapping[str, Any]:
    user = state.users.get(str(args.get("user", "")))
    if user is None:
        raise SlackError("user_not_found")
    return {"user": user.info()}


def _list_users(state: WorkspaceState, args: Arguments) -> Mapping[str, Any]:
    """Return one page of the users, the first ones where the cursor is empty."""
    users = [user.info() for user in state.users.values()]
    limit, cursor = str(args.get("limit") or len(users)), str(args.get("cursor") or "")
    if not limit.isascii() or not limit.isdigit():
        raise SlackError("invalid_arguments")
    starts = {_cursor(user["id"]): at for at, user in enumerate(users)}
    if cursor and cursor not in starts:
        raise SlackError("invalid_cursor")
    start = starts[cursor] if cursor else 0
    end = start + min(max(int(limit), 1), _PAGE_MOST)
    following = _cursor(users[end]["id"]) if end < len(users) else ""
    return {"members": users[start:end], "response_metadata": {"next_cursor": following}}


def _cursor(user: str) -> str:
    """Return the cursor of the page that a user begins, as Slack's cursors look."""
    return base64.b64encode(f"user:{user}".encode()).decode()


_PAGE_MOST = 1000


def _list_group_users(state: WorkspaceState, args: Arguments) -> Mapping[str, Any]:
    if not state.paid:
        raise SlackError("plan_upgrade_required")
    members = state.groups.get(str(args.get("usergroup", "")))
    if members is None:
        raise SlackError("no_such_subteam")
    return {"users": sorted(members)}


METHODS: Mapping[str, Method] = {
    "auth.test": _auth_test,
    "apps.connections.open": _open_connection,
    "users.info": _user_info,
    "users.list": _list_users,
    "usergroups.users.list": _list_group_users,
}
