import asyncio
from typing import Any

from django.tasks import TaskContext, task


@task(takes_context=True)
async def outlive_the_process(context: TaskContext[..., Any]) -> None:
    """Never end at the first attempt."""
    if context.attempt == 1:
        await asyncio.Event().wait()
