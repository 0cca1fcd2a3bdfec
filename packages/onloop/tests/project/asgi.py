"""The application with all that `onloop` has: what most of these tests serve."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.project.settings")
django.setup(set_prefix=False)

# These modules want the settings to be there.
from onloop.asgi.bodies import BodyLimits
from onloop.asgi.handler import EventLoopASGIHandler
from onloop.asgi.lifespan import Lifespan
from onloop.asgi.startup import checked_project
from onloop.asgi.types import ProtocolRouter
from onloop.asgi.websockets import WebSocketRouter, installed_routes
from onloop.background import background_work
from onloop.database import database_pools
from onloop.gc import garbage_collected_lightly
from onloop.http.client import shared_http_client
from onloop.observe.observed import observed, observing
from onloop.redis import shared_redis

application = ProtocolRouter(
    http=observed(BodyLimits(EventLoopASGIHandler(), 10 * 1024**2)),
    websocket=observed(WebSocketRouter(installed_routes())),
    lifespan=Lifespan(
        checked_project,
        observing,
        database_pools,
        shared_redis,
        shared_http_client,
        background_work,
        garbage_collected_lightly,
    ),
)
