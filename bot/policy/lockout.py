"""Policies under which nobody may do anything, by accident or on purpose; pure."""

from typing import Any

from bot.policy.schema import Policy, Role

NO_ROLES = "has no roles, so nobody may do anything; stopstream policy init writes an example"


def is_cut_off(data: Any) -> bool:
    """Return whether a file does not even name `roles`, as one that was emptied or cut off.

    Who wants to allow nothing says so, by `roles: {}`; that must be obeyed, because it takes rights
    away. Where another key is unknown, it may be what was meant for it.
    """
    if not isinstance(data, dict):
        return False
    return "roles" not in data and data.keys() <= Policy.model_fields.keys()


def lockout(policy: Policy) -> str:
    """Return why nobody may do anything under a policy; empty where somebody may."""
    roles = policy.roles.values()
    if not roles:
        return "it has no roles"
    if not any(role.allow for role in roles):
        return "no role allows anything"
    if not any(_has_members(role) for role in roles):
        return "no role has members"
    if not any(role.allow and _has_members(role) for role in roles):
        return "no role that allows something has members"
    return ""


def allows_nothing(policy: Policy) -> str:
    """Return the same as what is wrong with the file; empty where somebody may do something."""
    why = lockout(policy)
    if not policy.roles:
        return NO_ROLES
    return f"{why}, so nobody may do anything" if why else ""


def _has_members(role: Role) -> bool:
    return bool(role.members.users or role.members.usergroups)
