"""The project's settings for tests, with the apps of the packages and their settings."""

from pathlib import Path

from django.http import HttpRequest

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS as PROJECT_APPS
from tests.settings import MIDDLEWARE as PROJECT_MIDDLEWARE


def always(request: HttpRequest) -> bool:
    """Show the toolbar to everybody."""
    return True


ROOT_URLCONF = "tests.third_party.urls"
INSTALLED_APPS = [
    *PROJECT_APPS,
    "allauth",
    "allauth.account",
    "axes",
    "corsheaders",
    "debug_toolbar",
    "django_htmx",
    "django_structlog",
]
# allauth does not start without it. The tests move each package's middleware.
MIDDLEWARE = [*PROJECT_MIDDLEWARE, "allauth.account.middleware.AccountMiddleware"]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
SYNC_API_DELAY = 0

AXES_FAILURE_LIMIT = 2
CORS_ALLOWED_ORIGINS = ["https://example.com"]
DEBUG_TOOLBAR_CONFIG = {
    "SHOW_TOOLBAR_CALLBACK": "tests.third_party.settings.always",
    "IS_RUNNING_TESTS": False,
}
STATIC_ROOT = WHITENOISE_ROOT = Path(__file__).parent / "public"
