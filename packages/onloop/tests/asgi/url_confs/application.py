"""The project with a URLconf that cannot be imported."""

from django.conf import settings

from tests.project.asgi import application

settings.ROOT_URLCONF = "tests.asgi.url_confs.unimportable"

__all__ = ["application"]
