"""A project with `onloop`, `startproject`'s middleware, and each engine that tests may name."""

import os
from pathlib import Path

from django.utils.csp import CSP

from onloop import env

BASE_DIR = Path(__file__).resolve().parent
TEST_DATABASE = BASE_DIR / f"test{os.environ.get('PYTEST_XDIST_WORKER', '')}.sqlite3"

# Whatever the shell has set; processes that a test starts may be given other values.
if "PYTEST_CURRENT_TEST" not in os.environ:
    os.environ |= {"DATABASE_URL": f"sqlite:///{TEST_DATABASE}", "REDIS_URL": ""}

ROOT_URLCONF = os.environ.get("ROOT_URLCONF", "tests.project.urls")
DEBUG = env.flag("DEBUG", default=False)
SECRET_KEY = "only for tests" * 4
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]
PORT = env.whole_number("PORT", 8000, least=1, most=65535)

INSTALLED_APPS = [
    "onloop",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "servestatic",
    "django.contrib.staticfiles",
    "django_tasks_db",
    "onloop.tasks",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
]
SECURE_CSP = {"default-src": [CSP.SELF]}
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
STATIC_URL = "static/"
SERVESTATIC_USE_FINDERS = True
TIME_ZONE = "UTC"
USE_TZ = True

DATABASES = {"default": env.database("DATABASE_URL", f"sqlite:///{TEST_DATABASE}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    from onloop.postgres import BoundedConnection, check_connection

    DATABASES["default"]["OPTIONS"] = {
        "connect_timeout": 5,
        "tcp_user_timeout": 10_000,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "pool": {
            "min_size": 0,
            "max_size": env.whole_number("DATABASE_POOL_SIZE", 10, least=1, most=1000),
            "timeout": 10.0,
            "reconnect_timeout": 10.0,
            "check": check_connection,
            "connection_class": BoundedConnection,
        },
    }
else:
    # In a file, so that each thread has a connection of its own, as with a database server.
    DATABASES["default"]["TEST"] = {"NAME": TEST_DATABASE}
    DATABASES["default"]["OPTIONS"] = {
        "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL",
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
    }

REDIS_URL = env.redis_url("REDIS_URL")
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "upstreams": {"BACKEND": "onloop.http.cache.memory.MemoryCache"},
}
if REDIS_URL:
    CACHES["upstreams"] = {"BACKEND": "onloop.http.cache.redis.RedisCache"}

LOG_FORMAT = env.choice("LOG_FORMAT", "json", accepted=("console", "json"))
LOG_LEVEL = env.choice("LOG_LEVEL", "info", accepted=("debug", "info", "warning", "error")).upper()
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "onloop.observe.log_format.formatter", "renderer": LOG_FORMAT}},
    "filters": {"without_websockets": {"()": "onloop.observe.log_format.WithoutWebSockets"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line", "level": LOG_LEVEL}
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "level": "INFO"},
        "uvicorn": {"handlers": [], "propagate": True},
        "uvicorn.error": {"filters": ["without_websockets"]},
        "uvicorn.access": {"handlers": [], "propagate": False},
        "httpx": {"level": "WARNING"},
        "watchfiles": {"level": "WARNING"},
    },
}
TRACING = env.tracing("OTEL_EXPORTER_OTLP_ENDPOINT")
HTTP_TRANSPORT = env.choice(
    "HTTP_TRANSPORT", "aiohttp", accepted=("aiohttp", "pyreqwest"), extras={"pyreqwest": "fast"}
)
HELLO_RATE_LIMIT = (5, 3600)  # Of the view in tests/limited_views.py.
SYNC_THREADS = 64
BACKGROUND_LIMIT = 100

TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
JOBS_EMBEDDED = False
JOBS_ATTEMPTS = env.whole_number("JOBS_ATTEMPTS", 5, least=1, most=100)
JOBS_RETRY_SECONDS = env.seconds("JOBS_RETRY_SECONDS", 5.0)
JOBS_POLL_SECONDS = env.seconds("JOBS_POLL_SECONDS", 1.0)
JOBS_LEASE_SECONDS = env.seconds("JOBS_LEASE_SECONDS", 30.0)
