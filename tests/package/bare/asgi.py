"""As written by `startproject`, with the handler of `onloop` instead of Django's."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
django.setup(set_prefix=False)

from onloop.asgi import EventLoopASGIHandler, Lifespan, ProtocolRouter

application = ProtocolRouter(http=EventLoopASGIHandler(), lifespan=Lifespan())
