from urllib.parse import parse_qs, urlsplit

import httpx

from onloop.testing import TLS, Call

AGGREGATED = "/async/api_aggregated/"


def task_id(call: Call) -> int:
    return int(parse_qs(urlsplit(call.target).query)["task_id"][-1])


async def echo(call: Call) -> None:
    await call.reply(b'{"task_id": %d}' % task_id(call))


async def ask(url: str, method: str = "GET") -> httpx.Response:
    async with httpx.AsyncClient(timeout=60, verify=TLS) as client:
        return await client.request(method, url)


def echoes(count: int) -> list[dict[str, int]]:
    return [{"task_id": number} for number in range(count)]
