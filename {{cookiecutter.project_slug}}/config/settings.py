"""All settings of the project; everything that comes from the environment is read here.

https://docs.djangoproject.com/en/6.1/ref/settings/
"""

import os
from pathlib import Path

from django.utils.csp import CSP

from onloop import env
from onloop.env import InvalidSetting

BASE_DIR = Path(__file__).resolve().parent.parent
env.read_file(os.environ.get("ENV_FILE", BASE_DIR / ".env"))


# 1. The project

SITE_NAME = "{{ cookiecutter.__quoted_project_name }}"
PORT = env.whole_number("PORT", 8000, least=1, most=65535)
ROOT_URLCONF = "config.urls"

INSTALLED_APPS = [
    "onloop",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "servestatic",
    "django.contrib.staticfiles",
    "aggregator",
    "live",
    "django_tasks_db",
    "onloop.tasks",
    "jobs",
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


# 2. Security: closed unless the environment opens it

DEBUG = env.flag("DEBUG", default=False)
SECRET_KEY = env.text("SECRET_KEY")
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = env.names("CSRF_TRUSTED_ORIGINS")

if SECRET_KEY in ({""} if DEBUG else {"", "change-me"}):
    raise InvalidSetting("SECRET_KEY", SECRET_KEY, "a secret of your own: 50 random characters")
if not ALLOWED_HOSTS and not DEBUG:
    raise InvalidSetting("ALLOWED_HOSTS", "", "the host names that this site is served under")

HTTPS_ONLY = env.flag("HTTPS_ONLY", default=not DEBUG)
SECURE_SSL_REDIRECT = HTTPS_ONLY
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SESSION_COOKIE_SECURE = HTTPS_ONLY
CSRF_COOKIE_SECURE = HTTPS_ONLY
SECURE_HSTS_SECONDS = (
    env.whole_number("HSTS_SECONDS", 3600, least=1, most=63_072_000) if HTTPS_ONLY else 0
)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.flag("HSTS_INCLUDE_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = env.flag("HSTS_PRELOAD", default=False)
# Both bind hosts that this project may not serve, and preload lists take months to leave:
# https://hstspreload.org/#opt-in
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
X_FRAME_OPTIONS = "DENY"
SECURE_CSP = {
    "default-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "object-src": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
}

LOGIN_RATE_LIMIT = env.rate("LOGIN_RATE_LIMIT", "10/minute")
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{validator}"}
    for validator in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]


# 3. Database
#
# CONN_MAX_AGE leaks connections under ASGI, and ATOMIC_REQUESTS refuses async views; see
# https://docs.djangoproject.com/en/6.1/ref/databases/#persistent-connections

DATABASES = {"default": env.database("DATABASE_URL", f"sqlite:///{BASE_DIR / 'db.sqlite3'}")}
DATABASES["default"] |= {"CONN_MAX_AGE": 0, "ATOMIC_REQUESTS": False}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Readers do not wait for the writer (WAL); writers queue for the lock rather than fail
    # half-way through (IMMEDIATE).
    DATABASES["default"]["OPTIONS"] = {
        "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL",
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
    }

if DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    from onloop.postgres import BoundedConnection, check_connection

    pool_timeout = env.seconds("DATABASE_POOL_TIMEOUT", 10.0)
    DATABASES["default"]["OPTIONS"] = {
        "connect_timeout": 5,
        # Ten seconds without a sign of the server's kernel end a connection:
        # https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-TCP-USER-TIMEOUT
        "tcp_user_timeout": 10_000,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        **DATABASES["default"].get("OPTIONS", {}),
        # https://www.psycopg.org/psycopg3/docs/api/pool.html
        "pool": {
            "min_size": 0,
            "max_size": env.whole_number("DATABASE_POOL_SIZE", 10, least=1, most=1000),
            "timeout": pool_timeout,
            # The pause between attempts doubles up to this, and the database may be back meanwhile.
            "reconnect_timeout": pool_timeout,
            "check": check_connection,
            "connection_class": BoundedConnection,
        },
    }


# 4. What processes share: in each process for itself, or in Redis for all of them

REDIS_URL = env.redis_url("REDIS_URL")

if REDIS_URL:
    # A connection that was kept may have gone silent: its command is tried once more on a new one.
    redis_options = {"socket_connect_timeout": 3, "socket_timeout": 3, "retry_on_timeout": True}
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
            "OPTIONS": redis_options,
        }
    }
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "onloop.channel_layer.BoundedRedisChannelLayer",
            "CONFIG": {"hosts": [{"address": REDIS_URL, **redis_options}]},
        }
    }
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}


# 5. Static files

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "onloop.static.StaticFilesStorage"
    },
}


# 6. Language and time

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True


# 7. Logging, to standard error in production too; metrics; traces; bodies; load shedding

LOG_FORMAT = env.choice("LOG_FORMAT", "console" if DEBUG else "json", accepted=("console", "json"))
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
        # In the same format, at its own --log-level; `onloop` writes its own access log.
        "uvicorn": {"handlers": [], "propagate": True},
        "uvicorn.error": {"filters": ["without_websockets"]},
        "uvicorn.access": {"handlers": [], "propagate": False},
        # These would show whole URLs and headers, at INFO and at DEBUG.
        "httpx": {"level": "WARNING"},
        "watchfiles": {"level": "WARNING"},
        "httpcore": {"level": "INFO"},
        "hpack": {"level": "INFO"},
    },
}

METRICS = env.flag("METRICS", default=False)
TRACING = env.tracing()
MAX_BODY_BYTES = env.whole_number("MAX_BODY_BYTES", 10 * 1024 * 1024, least=1, most=1024**4)
MAX_REQUESTS_IN_WORK = env.whole_number("MAX_REQUESTS_IN_WORK", 0, least=0, most=1_000_000)


# 8. Calls to other servers, threads for sync code, and work in the background

HTTP_TRANSPORT = env.choice("HTTP_TRANSPORT", "aiohttp", accepted=("aiohttp", "httpx"))
HTTP_RETRIES = env.whole_number("HTTP_RETRIES", 2, least=0, most=10)
HTTP_HEDGING = env.flag("HTTP_HEDGING", default=False)
HTTP_BREAKER_PERCENT = env.whole_number("HTTP_BREAKER_PERCENT", 50, least=0, most=100)
HTTP_BREAKER_SECONDS = env.seconds("HTTP_BREAKER_SECONDS", 10.0)
SYNC_THREADS = env.whole_number("SYNC_THREADS", 64, least=1, most=1000)
BACKGROUND_LIMIT = env.whole_number("BACKGROUND_LIMIT", 100, least=1, most=10_000)


# 9. Aggregator; durations in seconds

SYNC_API_DELAY = env.seconds("SYNC_API_DELAY", 1.0, zero=True)
AGGREGATOR_FAN_OUT = env.whole_number("AGGREGATOR_FAN_OUT", {{ cookiecutter.fan_out }}, least=1, most=1000)
AGGREGATOR_MAX_FAN_OUT = env.whole_number(
    "AGGREGATOR_MAX_FAN_OUT",
    1000 if DEBUG else AGGREGATOR_FAN_OUT,
    least=AGGREGATOR_FAN_OUT,
    most=1000,
)
AGGREGATOR_UPSTREAM_URL = env.http_url("AGGREGATOR_UPSTREAM_URL", "{{ cookiecutter.upstream_url }}")
AGGREGATOR_CONCURRENCY = env.whole_number("AGGREGATOR_CONCURRENCY", 1000, least=1, most=1000)
AGGREGATOR_TIMEOUT = env.seconds("AGGREGATOR_TIMEOUT", 20.0)
AGGREGATOR_DEADLINE = env.seconds("AGGREGATOR_DEADLINE", 30.0)
# The event loop checks that a body is JSON, which takes up to 6 ms for each MiB.
AGGREGATOR_MAX_RESPONSE_BYTES = env.whole_number(
    "AGGREGATOR_MAX_RESPONSE_BYTES", 1024**2, least=1, most=16 * 1024**2
)
AGGREGATOR_MAX_TOTAL_BYTES = env.whole_number(
    "AGGREGATOR_MAX_TOTAL_BYTES", 16 * 1024**2, least=AGGREGATOR_MAX_RESPONSE_BYTES, most=1024**3
)
AGGREGATOR_RATE_LIMIT = env.rate("AGGREGATOR_RATE_LIMIT")


# 10. Background jobs: in the database, or in Redis for RQ's workers; durations in seconds

JOBS_BACKEND = env.choice("JOBS_BACKEND", "database", accepted=("database", "rq"))
JOBS_EMBEDDED = env.flag("JOBS_EMBEDDED", default=True) and JOBS_BACKEND == "database"
JOBS_CONCURRENCY = env.whole_number("JOBS_CONCURRENCY", 20, least=1, most=1000)
JOBS_ATTEMPTS = env.whole_number("JOBS_ATTEMPTS", 5, least=1, most=100)
JOBS_MAX_QUEUED = env.whole_number("JOBS_MAX_QUEUED", 1000, least=1, most=1_000_000)
JOBS_MAX_RESULT_BYTES = env.whole_number(
    "JOBS_MAX_RESULT_BYTES", 1024 * 1024, least=1, most=64 * 1024**2
)
JOBS_RETRY_SECONDS = env.seconds("JOBS_RETRY_SECONDS", 5.0)
JOBS_POLL_SECONDS = env.seconds("JOBS_POLL_SECONDS", 1.0)
JOBS_LEASE_SECONDS = env.seconds("JOBS_LEASE_SECONDS", 30.0)
JOBS_GRACE_SECONDS = env.seconds("JOBS_GRACE_SECONDS", 8.0, zero=True)

if JOBS_BACKEND == "rq":
    if not REDIS_URL:
        raise InvalidSetting("REDIS_URL", "", "the URL of the Redis that JOBS_BACKEND=rq asks for")
    INSTALLED_APPS.append("django_rq")
    RQ_QUEUES = {"default": {"URL": REDIS_URL, "DEFAULT_RESULT_TTL": 14 * 24 * 3600}}
    TASKS = {"default": {"BACKEND": "onloop.tasks.rq.RQBackend"}}
else:
    TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
