"""A question that many ask is put once, its answer grows old, and nobody misses what it raises."""

import asyncio
import gc
from typing import Any

import pytest

from bot.shared_answers import SharedAnswers

LONG, SHORT = 600.0, 0.01


class Oracle:
    """Answers with how often it was asked, once it may."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.broken = False

    async def ask(self) -> int:
        self.asked += 1
        number = self.asked
        await self.may_answer.wait()
        if self.broken:
            raise ValueError(number)
        return number


async def test_question_is_put_once_while_its_answer_is_young() -> None:
    """Another question is another one."""
    oracle, shared = Oracle(), SharedAnswers[int](kept=LONG)
    asking = [asyncio.create_task(shared.get("one", oracle.ask)) for _ in range(9)]
    await asyncio.sleep(0)
    oracle.may_answer.set()

    assert await asyncio.gather(*asking) == [1] * 9
    assert await shared.get("one", oracle.ask) == 1
    assert await shared.get("other", oracle.ask) == 2


async def test_what_was_asked_for_long_ago_is_asked_for_again() -> None:
    """The age counts from the asking, so nobody joins what hangs."""
    oracle, shared = Oracle(), SharedAnswers[int](kept=SHORT)
    first = asyncio.create_task(shared.get("one", oracle.ask))
    await asyncio.sleep(5 * SHORT)
    second = asyncio.create_task(shared.get("one", oracle.ask))
    await asyncio.sleep(0)
    oracle.may_answer.set()

    assert [await first, await second] == [1, 2]
    await asyncio.sleep(5 * SHORT)
    assert await shared.get("one", oracle.ask) == 3


async def test_what_is_raised_is_not_kept() -> None:
    """All who wait hear of it, and the next one asks again."""
    oracle, shared = Oracle(), SharedAnswers[int](kept=LONG)
    oracle.broken = True
    asking = [asyncio.create_task(shared.get("one", oracle.ask)) for _ in range(3)]
    await asyncio.sleep(0)
    oracle.may_answer.set()

    raised = await asyncio.gather(*asking, return_exceptions=True)
    assert [str(one) for one in raised] == ["1"] * 3
    oracle.broken = False
    assert await shared.get("one", oracle.ask) == 2


async def test_nobody_has_to_wait_for_what_is_raised() -> None:
    """Who gives up before takes the answer from nobody, and asyncio complains of nothing."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: complaints.append(what))
    oracle, shared = Oracle(), SharedAnswers[int](kept=LONG)
    oracle.broken = True
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(SHORT):
            await shared.get("one", oracle.ask)
    other = asyncio.create_task(shared.get("one", oracle.ask))
    await asyncio.sleep(0)
    other.cancel()
    oracle.may_answer.set()
    await asyncio.sleep(SHORT)
    gc.collect()

    oracle.broken = False
    assert await shared.get("one", oracle.ask) == 2
    assert complaints == []
