"""The ASGI application, served by `python -m onloop.server config.asgi:application`."""

import os
import sys

import django

from onloop.env import InvalidSetting
from onloop.gc import pause_until_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
try:
    pause_until_ready()
    django.setup(set_prefix=False)
except InvalidSetting as error:
    sys.exit(f"Error: {error}")

# Django's modules below require the settings.
from django.conf import settings

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
from onloop.gc import tuned_gc
from onloop.http import shared_http_client
from onloop.observe import observed, telemetry
from onloop.redis import shared_redis

application = ProtocolRouter(
    http=observed(BodyLimits(EventLoopASGIHandler(), settings.MAX_BODY_BYTES)),
    websocket=observed(WebSocketRouter(installed_routes())),
    lifespan=Lifespan(
        checked_project,
        telemetry,
        database_pools,
        shared_redis,
        shared_http_client,
        background_work,
        tuned_gc,
    ),
)
