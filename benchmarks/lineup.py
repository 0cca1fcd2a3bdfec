"""The contenders."""

from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONTENDERS = "benchmarks.contenders"


@dataclass(frozen=True)
class Contender:
    """An ASGI application, and how uvicorn is to run it: by itself, or by the project's module."""

    name: str
    colour: str
    arguments: tuple[str, ...]
    module: str = "uvicorn"
    django_settings: str | None = None
    on_project_python: bool = False
    in_project_folder: bool = False
    variables: tuple[tuple[str, str], ...] = ()


def _startproject(name: str, colour: str, package: str) -> Contender:
    """Django's own handler has no lifespan: `off` is what its documentation leads to."""
    return Contender(
        name,
        colour,
        ("--factory", "django.core.asgi:get_asgi_application", "--lifespan", "off"),
        django_settings=f"{CONTENDERS}.{package}.settings",
        on_project_python=True,
    )


ARTICLE = _startproject("the article", "#9c755f", "article")
STOCK = _startproject("stock Django", "#e15759", "stock")
RENDERED = Contender(
    "rendered project",
    "#4e79a7",
    (f"{CONTENDERS}.rendered:application",),
    module="onloop.server",
    on_project_python=True,
    in_project_folder=True,
)
HEDGED = replace(RENDERED, name="rendered project, hedging", variables=(("HTTP_HEDGING", "true"),))
OBSERVED = replace(
    RENDERED,
    name="rendered project, logs, metrics, request ids",
    variables=(("LOG_LEVEL", "info"), ("LOG_FORMAT", "json"), ("METRICS", "true")),
)
UNOBSERVED = replace(
    RENDERED,
    name="rendered project without them",
    arguments=(f"{CONTENDERS}.unobserved:application",),
)
FASTAPI_HTTPX = Contender(
    "FastAPI + httpx",
    "#f28e2b",
    (f"{CONTENDERS}.fastapi_httpx:application", "--lifespan", "on"),
)
FASTAPI_AIOHTTP = Contender(
    "FastAPI + aiohttp",
    "#59a14f",
    (f"{CONTENDERS}.fastapi_aiohttp:application", "--lifespan", "on"),
)
RAW = Contender(
    "raw asyncio",
    "#bab0ac",
    (f"{CONTENDERS}.raw:application", "--lifespan", "off"),
)

# The aggregator is where all six differ. Views without an outgoing call are the same in both
# startproject contenders, and in both FastAPI ones.
AGGREGATORS = (ARTICLE, STOCK, RENDERED, FASTAPI_HTTPX, FASTAPI_AIOHTTP, RAW)
ASYNC_VIEWS = (STOCK, RENDERED, FASTAPI_HTTPX, RAW)
SYNC_VIEWS = (STOCK, RENDERED, FASTAPI_HTTPX)
