"""`stopstream cam-policy`: the CAM policy to give to the bot's key, as JSON."""

import argparse
import json

from bot.cli.output import DONE, one_line, say
from bot.cli.settings import Settings
from bot.cli.wiring import open_policy
from bot.errors import ConfigError
from bot.model.actions import DEFAULT
from bot.policy.cam import document, needed
from bot.policy.schema import Policy


async def cam_policy(settings: Settings, options: argparse.Namespace) -> int:
    """Print the CAM policy for what the policy file allows; for every action without a file."""
    chosen = "policy" in settings.model_fields_set
    read = chosen or settings.policy.exists()
    policy = open_policy(settings, with_keys=False).value.policy if read else None
    account = _account(policy, options.account)
    say(json.dumps(document(needed(policy, account)), indent=2))
    return DONE


def _account(policy: Policy | None, name: str) -> str:
    """Return the account that is meant.

    Raises:
        ConfigError: There is none of that name, or several and none is named.
    """
    known = policy.account_names if policy is not None else (DEFAULT,)
    if name and name not in known:
        if known == (DEFAULT,):
            raise ConfigError(["--account: the policy names no accounts; leave it out"])
        shown = one_line(name)[:60]
        raise ConfigError(
            [f'--account: there is no account "{shown}"; there are {", ".join(known)}']
        )
    if not name and len(known) > 1:
        raise ConfigError([f"--account: each account has a key of its own: {', '.join(known)}"])
    return name or known[0]
