"""Help, rendered once for all who have the same rights under one policy."""

from dataclasses import replace

from cachetools import LRUCache

from bot.commands.vocabulary import Vocabulary
from bot.operations.results import Permissions
from bot.policy.explanation import Permission
from handlers.messages import help as help_messages
from handlers.messages.blocks import Message

_MOST = 256


class HelpPages:
    """The pages under one policy; another policy begins anew."""

    def __init__(self) -> None:
        self._vocabulary: Vocabulary | None = None
        self._pages: LRUCache[object, tuple[tuple[Permission, ...], Message]] = LRUCache(_MOST)

    def page(self, topic: str, vocabulary: Vocabulary, permissions: Permissions | None) -> Message:
        """Return the help on a topic, as `help_on`.

        Args:
            permissions: Of the reader. Those who have the same share the tuple `may`, by which
                they are known: to compare what is in it takes longer than to render the page.
        """
        if vocabulary is not self._vocabulary:
            self._vocabulary = vocabulary
            self._pages.clear()
        may: tuple[Permission, ...] = ()
        key: object = topic
        if permissions is not None:
            may = permissions.may
            # Help names nobody, and no user group: it is the same for all of them, at any time.
            person = replace(permissions.person, user="")
            permissions = replace(permissions, person=person, groups_age=None)
            key = topic, id(may), replace(permissions, may=())
        known = self._pages.get(key)
        if known is not None and known[0] is may:
            return known[1]
        message = help_messages.help_on(
            topic,
            vocabulary.actions,
            permissions,
            vocabulary.targets,
            filled_in=vocabulary.filled_in,
        )
        self._pages[key] = may, message
        return message
