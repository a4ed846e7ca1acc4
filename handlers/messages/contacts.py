"""Where people turn to when the bot itself cannot do it: the console, and the bot's owner; pure."""

from collections.abc import Callable
from dataclasses import dataclass

from bot.model.actions import Action, Site
from handlers.messages.mrkdwn import channel, user

_HOSTS = {"mainland": "console.cloud.tencent.com", "intl": "console.tencentcloud.com"}
_PAGES = {"live": "live/streammanage", "trtc": "trtc", "car": "car"}


def _documented_site(action: Action, _account: str) -> Site:
    return action.product.site


@dataclass(frozen=True, slots=True)
class Contacts:
    """Whom to turn to.

    Attributes:
        owner: The channel or person who runs the bot; empty if it is not configured.
        site: Returns the site that an action is sent to, on an account.
    """

    owner: str = ""
    site: Callable[[Action, str], Site] = _documented_site

    @property
    def owner_text(self) -> str:
        """The owner as a mention, or in words."""
        if not self.owner:
            return "the bot's owner"
        return channel(self.owner) if self.owner[0] in "CG" else user(self.owner)

    def console(self, action: Action | None, account: str) -> str:
        """Return a link to the console's page for an action."""
        if action is None or action.product.local:
            return "the Tencent Cloud console"
        host = _HOSTS[self.site(action, account)]
        page = _PAGES.get(action.product.name, "")
        return f"<https://{host}/{page}|the console>"


NOBODY = Contacts()
"""Where nothing is configured."""
