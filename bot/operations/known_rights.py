"""What the policy permits somebody somewhere, worked out once for all who have the same rights."""

from cachetools import LRUCache

from bot.policy import explanation, matching
from bot.policy.explanation import Permission
from bot.policy.loader import LoadedPolicy
from bot.policy.matching import Context

_MOST = 256

_Key = tuple[tuple[str, ...], str, bool, bool]


class KnownRights:
    """The permissions under one policy; another policy begins anew."""

    def __init__(self) -> None:
        self._loaded: LoadedPolicy | None = None
        self._found: LRUCache[_Key, tuple[Permission, ...]] = LRUCache(_MOST)

    def of(self, loaded: LoadedPolicy, context: Context) -> tuple[Permission, ...]:
        """Return what somebody may do in a place: the same tuple for the same rights."""
        if loaded is not self._loaded:
            self._loaded = loaded
            self._found.clear()
        # All of a context that permissions depend on.
        key = (
            matching.roles_of(loaded.policy, context),
            context.channel,
            context.in_channel,
            matching.is_full_member(context),
        )
        if (known := self._found.get(key)) is not None:
            return known
        actions = loaded.vocabulary.actions
        found = tuple(explanation.permissions_for(loaded.policy, context, actions))
        self._found[key] = found
        return found
