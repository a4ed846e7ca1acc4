"""The words of a sentence around names: what joins names, and what turns a command round; pure."""

import re
from collections.abc import Collection, Sequence

from bot.commands.vocabulary import VERBS, Vocabulary
from bot.model.actions import Action, Effect

WORDS = frozenset(
    """
    a about after again air all also an any are as at be because been before being both but by
    called can cannot can't do does down due during every everything feed for from get has have
    he her here him his how i if in into is isn't it its it's kill let live me more my named near
    no not of off on once one only or our out over push re she since so some start status stop
    stopped stream streams than that the their them then there these they thing things this those
    through till to too two under until up us very via was we were what what's whats when where
    which who who's whole why will with without yes yet you your
    room channel camera show broadcast video feeds cut take turn switch put
    """.split()  # noqa: SIM905
)
"""Words of a sentence, which are hardly the name of a stream."""

REVERSING = frozenset(
    """
    not no except but without excluding never don't dont unless if after before later when once in
    keep keeps keeping kept leave leaves leaving left instead rather stay stays remain remains
    retain spare skip ignore besides apart exclude excepting nor neither cannot can't won't
    shouldn't continue continues unless although though until-then wait while
    nicht nich kein keine keinen niemals außer ausser ohne sondern statt anstatt behalten lassen
    lass weiter weiterlaufen aber wenn nachdem sobald
    sauf pas sans excepté hormis garder garde gardez laisser laisse laissez jamais mais plutôt
    lieu après quand
    excepto salvo menos sin mantener mantén dejar deja nunca pero sino después cuando
    não nao exceto sem manter deixar mas tranne eccetto senza mantenere lasciare invece
    niet geen behalve zonder houden laat maar nie oprócz zostaw
    не кроме без оставь
    оставить но
    hariç değil không trừ jangan kecuali bukan biarkan inte ikke utom undtagen 不
    别 別 勿
    """.split()  # noqa: SIM905
)
"""Words that reverse or delay what is asked, in the languages of those who type."""

_REVERSING_PARTS = re.compile(
    "\u4e0d[\u8981\u80fd\u53ef\u8bb8\u8a31\u51c6\u6e96\u5e94\u7528\u505c\u5173\u95dc\u7981\u662f]"
    "|[\u522b\u5225\u52ff][\u505c\u5173\u95dc\u52a8\u52d5\u7981\u65ad\u65b7\u628a]"
    "|\u9664[\u4e86\u5916\u53bb]|\u4fdd\u7559|\u7ee7\u7eed|\u7e7c\u7e8c|\u800c[\u4e0d\u662f]|\u4ee3\u66ff"
    "|\u306a\u3044|\u4ee5\u5916|\u7d9a\u3051|\uc81c\uc678|\ub9d0\uace0|\ub9d0\uc544|n't\\Z"
)
"""The same inside of words, where these have no spaces between them."""

REASONS = frozenset({"because", "cause", "due", "since", "reason", "as", "weil", "wegen"})
"""Words after which a sentence says why."""

JOINING = frozenset("and or the a both stream streams named called also".split())  # noqa: SIM905
_STARTS = frozenset({"resume", "restart", "enable", "unban", "unblock", "unforbid", "reenable"})


def reverses(word: str) -> bool:
    """Return whether a word reverses or delays what is asked."""
    folded = word.casefold().replace("\u2019", "'")
    return folded in REVERSING or _REVERSING_PARTS.search(folded) is not None


def own_words(action: Action, vocabulary: Vocabulary) -> frozenset[str]:
    """Return the words by which a text repeats a command between its names."""
    verbs = (verb for verb, effect in VERBS.items() if effect is action.effect)
    undone = (one.words for one in vocabulary.actions if one.undo == action.api)
    return frozenset({*verbs, *undone, action.words}) | ALWAYS_OWN


ALWAYS_OWN = frozenset({"live", "the", "stream", "streams", "or"})
"""Words that stand between names of any kind."""


def asks_for_more(
    words: Sequence[str], own: Collection[str], effect: Effect | None, vocabulary: Vocabulary
) -> bool:
    """Return whether words ask for something else, too: a start beside a stop, or another kind.

    Args:
        own: Words of the command itself.
        effect: What the command does; None if its kind is not known.
    """
    folded = [word.casefold() for word in words]
    verbs = {verb for verb, other in VERBS.items() if other is not effect}
    if effect is Effect.STOP:
        verbs |= _STARTS
    if any(word in verbs and word not in own for word in folded):
        return True
    kinds = {action.words for action in vocabulary.actions} - {*own, "online"}
    # A kind before the last word has something that it is about.
    return any(word in kinds for word in folded[:-1])
