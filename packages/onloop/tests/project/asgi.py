"""The application with what `onloop` has: what most of these tests serve.

Only `tuned_gc` is left out: it visits all objects of the tests, which takes longer than most tests.
"""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.project.settings")
django.setup(set_prefix=False)

# These modules want the settings to be there.
from onloop.asgi import (
    BodyLimits,
    EventLoopASGIHandler,
    Lifespan,
    ProtocolRouter,
    WebSocketRouter,
    checked_project,
    installed_routes,
)
from onloop.background import background_work
from onloop.database import database_pools
from onloop.http import shared_http_client
from onloop.observe import observed, telemetry
from onloop.redis import shared_redis

application = ProtocolRouter(
    http=observed(BodyLimits(EventLoopASGIHandler(), 10 * 1024**2)),
    websocket=observed(WebSocketRouter(installed_routes())),
    lifespan=Lifespan(
        checked_project,
        telemetry,
        database_pools,
        shared_redis,
        shared_http_client,
        background_work,
    ),
)
