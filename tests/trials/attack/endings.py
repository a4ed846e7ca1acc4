"""SIGTERM in the middle of each attack: the process ends within ten seconds."""

import asyncio
import contextlib
import itertools
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from bot.sandbox.tencent.faults import Deaf, Silent
from tests.trials.attack.buttons import forged_buttons, own_consent
from tests.trials.attack.notices import notices
from tests.trials.attack.policies import policy_files, spellings
from tests.trials.attack.requests import replays, signatures
from tests.trials.attack.target import Attack, Target, target
from tests.trials.attack.texts import texts

_ENDS_WITHIN = 10.0
_LONGEST = 60.0
_AFTER = (0.5, 3.0)
"""Seconds of an attack before the signal."""

_Disturb: TypeAlias = Callable[[Target], Awaitable[object]]


async def endings(folder: Path, *, socket: bool) -> Attack:
    """Attack a bot of its own in each way, and end it meanwhile."""
    found = Attack("SIGTERM meanwhile")
    for number, (name, disturb) in enumerate(_DISTURBANCES.items()):
        for after in _AFTER:
            async with target(folder / f"{number}-{after}", socket=socket) as bot:
                took = await _ended(bot, disturb, after)
            found.note(f"{name}, after {after} s: {took:.1f} s", through=took > _ENDS_WITHIN)
    return found


async def _ended(bot: Target, disturb: _Disturb, after: float) -> float:
    """Return how many seconds the process takes to end."""
    busy = asyncio.ensure_future(disturb(bot))
    await asyncio.sleep(after)
    began = time.monotonic()
    bot.process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(bot.process.wait(), _LONGEST)
    except TimeoutError:
        bot.process.kill()
    took = time.monotonic() - began
    busy.cancel()
    await asyncio.gather(busy, return_exceptions=True)
    return took


async def _commands(bot: Target) -> None:
    for number in itertools.count():
        await bot.type(f"live flood{number}", "U0ALICE")


async def _half_bodies(bot: Target) -> None:
    host, port = str(urlsplit(bot.url).hostname), int(urlsplit(bot.url).port or 0)
    async with contextlib.AsyncExitStack() as opened:
        for _ in range(200):
            _, writer = await asyncio.open_connection(host, port)
            opened.callback(writer.transport.abort)
            writer.write(b"POST /slack/events HTTP/1.1\r\nContent-Length: 900000\r\n\r\nx")
        await asyncio.Event().wait()


async def _silent_cloud(bot: Target) -> None:
    bot.world.cloud.faults.add(Silent, api="DropLiveStream", times=20)
    bot.world.cloud.faults.add(Deaf, api="DropLiveStream", times=20)
    for number in range(40):
        await bot.type(f"live silent{number}", "U0ALICE")


async def _slack_down(bot: Target) -> None:
    for number in range(40):
        await bot.type(f"live unheard{number}", "U0ALICE")
        bot.world.slack.faults.delay = 20.0


async def _huge_policy(bot: Target) -> None:
    for number in itertools.count():
        bot.world.policy.write_text(f"# {number}\nroles: " + "[" * 500_000)
        await asyncio.sleep(0.5)


_DISTURBANCES: Mapping[str, _Disturb] = {
    "bad signatures": signatures,
    "replays": replays,
    "forged buttons": forged_buttons,
    "consent to one's own request": own_consent,
    "hostile texts": lambda bot: texts(bot, 3000, 1),
    "notices": notices,
    "policy files": policy_files,
    "spellings": spellings,
    "a flood of stops": _commands,
    "half bodies": _half_bodies,
    "a silent cloud": _silent_cloud,
    "a Slack that does not answer": _slack_down,
    "a policy of brackets": _huge_policy,
}
