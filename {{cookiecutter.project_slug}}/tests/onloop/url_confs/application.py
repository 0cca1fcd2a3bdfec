"""The project with a URLconf that cannot be imported."""

from django.conf import settings

from config.asgi import application

settings.ROOT_URLCONF = "tests.onloop.url_confs.unimportable"

__all__ = ["application"]
