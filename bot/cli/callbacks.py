"""`stopstream callbacks show`: what to register at Tencent Cloud, so that Live calls the bot."""

import argparse
from collections.abc import Iterator

from bot.cli.output import DONE, say
from bot.cli.settings import Settings
from bot.cli.wiring import open_policy
from bot.hooks.live import split_keys
from bot.policy.loader import LoadedPolicy

_KEY = "STOPSTREAM_LIVE_CALLBACK_KEY"

_PLACEHOLDER = "https://YOUR-ADDRESS"

_HOW = (
    "Register a callback template for each account: CreateLiveCallbackTemplate, or in the console",
    "under Live, Event Center, Live Stream Callback. Then bind it to each push domain:",
    "CreateLiveCallbackRule.",
)

_ROTATION = (
    "To replace a key: put both into the variable, the new one after a comma, and restart; enter",
    "the new one in the template; then take the old one out. A notice counts under either.",
)


async def show(settings: Settings, _options: argparse.Namespace) -> int:
    """Print the values of the callback templates; never a key."""
    named = "policy" in settings.model_fields_set or settings.policy.exists()
    policy = open_policy(settings, with_keys=False).value if named else None
    say(*_HOW)
    for account, variable in _variables(policy):
        say("", *_template(settings, policy, account, variable))
    if not settings.public_url:
        say("", f"{_PLACEHOLDER} is where the outside reaches the bot: set STOPSTREAM_PUBLIC_URL.")
    say("", *_ROTATION)
    return DONE


def _template(
    settings: Settings, policy: LoadedPolicy | None, account: str, variable: str
) -> Iterator[str]:
    """Yield the lines about the template of one account."""
    address = f"{settings.public_url.rstrip('/') or _PLACEHOLDER}/hooks/live"
    yield f"account {account}" if account else "the account"
    yield f"  StreamBeginNotifyUrl      {address}"
    yield f"  StreamEndNotifyUrl        {address}"
    if settings.alert_channel:
        yield f"  PornCensorshipNotifyUrl   {address}"
        yield f"  AudioAuditNotifyUrl       {address}"
    if _takes_snapshots(policy):
        yield f"  SnapshotNotifyUrl         {address}"
    yield f"  CallbackKey               the value of {variable}{_standing(settings, variable)}"


def _takes_snapshots(policy: LoadedPolicy | None) -> bool:
    """Return whether the policy wants pictures before a stop."""
    return policy is not None and any(one.take == "snapshot" for one in policy.policy.evidence)


def _standing(settings: Settings, variable: str) -> str:
    """Describe whether a key is set; of those that the policy names, `check` knows."""
    if variable != _KEY:
        return ""
    key = settings.live_callback_key
    if key is None:
        return ", which is not set: make one with openssl rand -hex 16"
    count = len(split_keys(key.get_secret_value()))
    return ", which holds two: the last one" if count > 1 else ", which is set"


def _variables(policy: LoadedPolicy | None) -> Iterator[tuple[str, str]]:
    """Yield each account with the variable of its key."""
    accounts = policy.policy.accounts if policy is not None else {}
    if policy is None or not accounts:
        yield "", _KEY
        return
    for name, account in accounts.items():
        if account.callback_key is not None:
            yield name, account.callback_key
        elif name == policy.bots_own or len(accounts) == 1:
            yield name, _KEY
        else:
            yield name, f"its own variable: name it as accounts.{name}.callback_key in the policy"
