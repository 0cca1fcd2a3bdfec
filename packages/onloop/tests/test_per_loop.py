import asyncio

from onloop.per_loop import PerLoop


def test_each_loop_has_its_own_value_made_once() -> None:
    values: PerLoop[list[int]] = PerLoop(list)

    async def twice() -> tuple[list[int], list[int]]:
        return values.get(), values.get()

    first, again = asyncio.run(twice())
    other, _ = asyncio.run(twice())
    assert first is again
    assert first is not other


async def test_value_of_the_running_loop_is_replaced() -> None:
    values = PerLoop(list[int])
    values.get()
    values.set([1])
    assert values.get() == [1]
    assert await asyncio.to_thread(lambda: asyncio.run(value_of(values))) == []


async def value_of(values: PerLoop[list[int]]) -> list[int]:
    return values.get()
