"""The ASGI application, served by `python -m onloop.server config.asgi:application`."""

import os
import sys

import django

from onloop.env import InvalidSetting

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
try:
    django.setup(set_prefix=False)
except InvalidSetting as error:
    sys.exit(f"Error: {error}")

# Django's modules below want the settings to be there.
from django.conf import settings

from onloop.asgi.bodies import BodyLimits
from onloop.asgi.handler import EventLoopASGIHandler
from onloop.asgi.lifespan import Lifespan
from onloop.asgi.routing import ProtocolRouter
from onloop.asgi.startup import checked_project
from onloop.asgi.websockets import WebSocketRouter, installed_routes
from onloop.background import background_work
from onloop.database import database_pools
from onloop.gc import tuned_gc
from onloop.http import shared_http_client
from onloop.observe.observed import observed, telemetry
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
