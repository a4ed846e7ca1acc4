"""The app's manifest, as it is shipped: what the bot asks Slack for."""

from pathlib import Path
from typing import Any

import yaml

from bot.errors import ConfigError


def read() -> dict[str, Any]:
    """Read the manifest: beside the package when installed, at the top of a checkout.

    Raises:
        ConfigError: It is at neither place.
    """
    here = Path(__file__).parent
    for file in (here / "manifest.yml", here.parent / "manifest.yml"):
        if file.is_file():
            found: dict[str, Any] = yaml.safe_load(file.read_text())
            return found
    raise ConfigError(["manifest.yml: is missing from this installation"])


def bot_scopes() -> frozenset[str]:
    """Give the scopes that the bot's token must have."""
    return frozenset(read()["oauth_config"]["scopes"]["bot"])
