"""The source `/hooks/live`: callbacks of Live about pushes, snapshots and flagged content."""

from collections.abc import Callable, Mapping
from http import HTTPStatus

import structlog

from bot.cli.settings import Settings
from bot.errors import StoreError
from bot.hooks.exchange import Forbidden, HookAnswer, HookRequest
from bot.hooks.live import OtherNotice, RefusedNotice, read_notice, split_keys
from bot.model.alerts import Notice
from bot.model.live_notices import LiveNotice, Snapshot
from bot.operations.moderation import ModerationService
from bot.operations.snapshots import SnapshotService
from bot.policy.loader import LoadedPolicy
from bot.storage.store import Store

log = structlog.get_logger("stopstream.hooks")

_TAKEN = '{"code":0}'
"""What Tencent Cloud takes for an answer; after anything else it sends the notice again."""

_NO_KEY = Forbidden(HTTPStatus.NOT_FOUND, "no such hook, or it has no secret")
_WHY: Mapping[str, Forbidden] = {
    "malformed": Forbidden(HTTPStatus.BAD_REQUEST, "it is no callback of Live"),
    "forged": Forbidden(HTTPStatus.FORBIDDEN, "its signature is wrong"),
    "expired": Forbidden(HTTPStatus.FORBIDDEN, "its time is over"),
    "far-future": Forbidden(HTTPStatus.FORBIDDEN, "its time is too far ahead"),
}


class LiveSource:
    """Takes the callbacks of all accounts, each with its own keys.

    Args:
        policy: Returns the policy as it is now, which names the accounts and their keys.
        on_notice: Called with the account when a notice of a push is stored.
        moderation: Takes what was flagged, where a channel shows alerts.
        snapshots: Takes the pictures that were asked for before a stop.
    """

    name = "live"

    def __init__(
        self,
        settings: Settings,
        policy: Callable[[], LoadedPolicy],
        store: Store,
        *,
        on_notice: Callable[[str], None],
        moderation: ModerationService,
        snapshots: SnapshotService,
    ) -> None:
        self._settings = settings
        self._policy = policy
        self._store = store
        self._on_notice = on_notice
        self._moderation = moderation
        self._snapshots = snapshots

    def check(self, request: HookRequest) -> Forbidden | None:
        """Return why a notice is not read; None if a key of ours signed it, for now."""
        keys = callback_keys(self._settings, self._policy())
        if not keys:
            return _NO_KEY
        found = read_notice(request.body, keys, now=request.at)
        return _WHY[found.why] if isinstance(found, RefusedNotice) else None

    async def take(self, request: HookRequest) -> HookAnswer:
        """Store what a genuine notice says."""
        keys = callback_keys(self._settings, self._policy())
        match read_notice(request.body, keys, now=request.at):
            case RefusedNotice(why):
                return HookAnswer(_WHY[why].status, "stale")
            case OtherNotice():
                return HookAnswer(HTTPStatus.OK, "ignored", _TAKEN)
            case Notice() as flagged:
                return await self._store_flagged(flagged)
            case Snapshot() as snapshot:
                return await self._store_snapshot(snapshot)
            case LiveNotice() as notice:
                return await self._store_notice(notice)

    async def _store_flagged(self, notice: Notice) -> HookAnswer:
        if not self._settings.alert_channel:
            return HookAnswer(HTTPStatus.OK, "ignored", _TAKEN)
        try:
            taken = await self._moderation.take(notice)
        except (StoreError, TimeoutError) as error:
            log.error("a notice is not stored", source=self.name, why=str(error))
            return HookAnswer(HTTPStatus.SERVICE_UNAVAILABLE, "failed")
        return HookAnswer(HTTPStatus.OK, taken.value, _TAKEN)

    async def _store_snapshot(self, snapshot: Snapshot) -> HookAnswer:
        try:
            taken = await self._snapshots.take(snapshot)
        except StoreError as error:
            log.error("a notice is not stored", source=self.name, why=str(error))
            return HookAnswer(HTTPStatus.SERVICE_UNAVAILABLE, "failed")
        return HookAnswer(HTTPStatus.OK, taken.value, _TAKEN)

    async def _store_notice(self, notice: LiveNotice) -> HookAnswer:
        try:
            news = await self._store.watches.take_notice(notice)
        except StoreError as error:
            log.error("a notice is not stored", source=self.name, why=str(error))
            return HookAnswer(HTTPStatus.SERVICE_UNAVAILABLE, "failed")
        self._on_notice(notice.account)
        return HookAnswer(HTTPStatus.OK, "stored" if news else "repeated", _TAKEN)


def callback_keys(settings: Settings, policy: LoadedPolicy) -> Mapping[str, tuple[str, ...]]:
    """Return the callback keys of each account.

    That of the settings is of the account with the bot's own key, or of the only one.
    """
    found = dict(policy.callback_keys)
    names = policy.policy.account_names
    own = policy.bots_own or (names[0] if len(names) == 1 else "")
    if settings.live_callback_key is not None and own:
        found.setdefault(own, split_keys(settings.live_callback_key.get_secret_value()))
    return found
