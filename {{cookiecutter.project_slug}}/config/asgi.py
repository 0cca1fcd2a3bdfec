"""The ASGI application, served by `python -m runtime.server`."""

import os
import sys

import django

from config.environment import InvalidSetting

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
try:
    django.setup(set_prefix=False)
except InvalidSetting as error:
    sys.exit(f"Error: {error}")

# Django's modules below want the settings to be there.
from django.conf import settings

from runtime.background import background_work
from runtime.bodies import BodyLimits
from runtime.database import database_pools
from runtime.garbage import garbage_collected_lightly
from runtime.handler import EventLoopASGIHandler
from runtime.http import shared_http_client
from runtime.lifespan import Lifespan
from runtime.observed import observed, observing
from runtime.protocols import ProtocolRouter
from runtime.redis import shared_redis
from runtime.startup import checked_project
from runtime.websockets import WebSocketRouter, installed_routes

application = ProtocolRouter(
    http=observed(BodyLimits(EventLoopASGIHandler(), settings.MAX_BODY_BYTES)),
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
