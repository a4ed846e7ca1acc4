"""All attacks, one after another, on a bot over HTTP and on one in Socket Mode."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

from tests.trials.attack.buttons import forged_buttons, own_consent
from tests.trials.attack.endings import endings
from tests.trials.attack.notices import notices
from tests.trials.attack.page import page
from tests.trials.attack.policies import policy_files, spellings
from tests.trials.attack.redirects import redirects
from tests.trials.attack.requests import replays, signatures
from tests.trials.attack.target import Attack, Target, target
from tests.trials.attack.texts import texts

_ATTACKS: tuple[Callable[[Target], Awaitable[Attack]], ...] = (
    signatures,
    replays,
    forged_buttons,
    own_consent,
    notices,
    policy_files,
    spellings,
)


async def attacks(folder: Path, *, count: int, seed: int, only: str = "") -> AsyncIterator[Attack]:
    """Yield what was tried and what got through, one attack after another.

    Args:
        count: Of the hostile texts, by each way in.
        only: The attacks whose names hold this.
    """
    if only in "page":
        yield await page(folder)
    of_one_bot = [attack for attack in _ATTACKS if only in attack.__name__]
    if only in "texts":
        of_one_bot.append(partial(texts, count=count, seed=seed))
    for socket in (False, True):
        way = "socket" if socket else "http"
        if of_one_bot:
            async with target(folder / way, socket=socket) as bot:
                for attack in of_one_bot:
                    yield _by(way, await attack(bot))
        if only in "redirects":
            yield _by(way, await redirects(folder / f"{way}-redirects", socket=socket))
        if only in "endings":
            yield _by(way, await endings(folder / f"{way}-endings", socket=socket))


def _by(way: str, found: Attack) -> Attack:
    found.name = f"{way}, {found.name}"
    return found
