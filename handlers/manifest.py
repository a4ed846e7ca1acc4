"""The app's manifest as shipped, and the scopes that its methods, events and commands need."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from bot.errors import ConfigError


def read() -> dict[str, Any]:
    """Read the manifest: next to the package when installed, at the top of a checkout.

    Raises:
        ConfigError: There is none.
    """
    here = Path(__file__).parent
    for file in (here / "manifest.yml", here.parent / "manifest.yml"):
        if file.is_file():
            found: dict[str, Any] = yaml.safe_load(file.read_text())
            return found
    raise ConfigError(["manifest.yml: is missing from this installation"])


def bot_scopes() -> frozenset[str]:
    """Return the scopes that the bot's token must have."""
    return frozenset(read()["oauth_config"]["scopes"]["bot"])


_EVERY_KIND = ("channels", "groups", "im", "mpim")
_READ = frozenset(f"{kind}:read" for kind in _EVERY_KIND)
_HISTORY = frozenset(f"{kind}:history" for kind in _EVERY_KIND)
_NONE: frozenset[str] = frozenset()


METHODS: Mapping[str, frozenset[str]] = {
    # Of the app-level token: connections:write.
    "apps.connections.open": _NONE,
    "auth.test": _NONE,
    "chat.delete": frozenset({"chat:write"}),
    "chat.getPermalink": _NONE,
    "chat.postEphemeral": frozenset({"chat:write"}),
    "chat.postMessage": frozenset({"chat:write"}),
    "chat.update": frozenset({"chat:write"}),
    "conversations.history": _HISTORY,
    "conversations.info": _READ,
    "conversations.replies": _HISTORY,
    "files.completeUploadExternal": frozenset({"files:write"}),
    "files.getUploadURLExternal": frozenset({"files:write"}),
    "usergroups.users.list": frozenset({"usergroups:read"}),
    "users.info": frozenset({"users:read"}),
    "users.list": frozenset({"users:read"}),
    "views.open": _NONE,
    "views.publish": _NONE,
    "views.update": _NONE,
}
"""Scopes by method."""


EVENTS: Mapping[str, frozenset[str]] = {
    "app_home_opened": _NONE,
    "app_mention": frozenset({"app_mentions:read"}),
    "subteam_members_changed": frozenset({"usergroups:read"}),
}
"""Scopes by subscribed event."""


COMMANDS = frozenset({"commands"})
"""For slash commands and shortcuts."""


NEEDED = frozenset().union(COMMANDS, *METHODS.values(), *EVENTS.values())
"""Every bot scope in use."""
