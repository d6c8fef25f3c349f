"""Much that one attempt asks for is held in small parts, and worked on without stopping the others."""

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

from reprise.gateway.aside import LARGE_BYTES, Aside
from reprise.gateway.session import MAX_PAGES_AT_ONCE
from reprise.gateway.upstream import MAX_READS


def session() -> Any:
    """What is used of one."""
    return SimpleNamespace(pages=asyncio.Semaphore(MAX_PAGES_AT_ONCE))


async def most_at_once(aside: Aside, askers: list[Any]) -> int:
    now = most = 0

    async def hold(asker: Any) -> None:
        nonlocal now, most
        async with aside.holding(asker):
            now += 1
            most = max(most, now)
            await asyncio.sleep(0)
            now -= 1

    await asyncio.gather(*(hold(asker) for asker in askers))
    return most


async def test_few_answers_are_held_at_once_and_fewer_of_one_attempt() -> None:
    one = session()
    assert await most_at_once(Aside(), [one] * 50) == MAX_PAGES_AT_ONCE
    assert await most_at_once(Aside(), [session() for _ in range(50)]) == MAX_READS


async def test_small_answers_are_worked_on_here_and_large_ones_elsewhere() -> None:
    aside = Aside()
    assert await aside.work(b"x", threading.current_thread) is threading.main_thread()
    assert await aside.work(b"x" * (LARGE_BYTES + 1), threading.current_thread) is not threading.main_thread()


async def test_large_answers_wait_for_each_other_and_small_ones_do_not() -> None:
    aside, large = Aside(), b"x" * (LARGE_BYTES + 1)
    may_end, order = threading.Event(), []

    def slow() -> None:
        may_end.wait(10)
        order.append("first")

    tasks = [
        asyncio.create_task(aside.work(large, slow)),
        asyncio.create_task(aside.work(large, lambda: order.append("second"))),
    ]
    await asyncio.sleep(0.01)
    await aside.work(b"x", lambda: order.append("small"))
    may_end.set()
    await asyncio.gather(*tasks)
    assert order == ["small", "first", "second"]
