"""`auth.*`, `users.*`, `usergroups.*` and `apps.*`: people, and the app itself.

Source: https://docs.slack.dev/reference/methods/users.info
"""

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
    "usergroups.users.list": _list_group_users,
}
