"""All settings of the project; everything that comes from the environment is read here.

`manage.py document_settings` generates `docs/settings.md` from the headings, the `env` calls and
the comments above them. https://docs.djangoproject.com/en/6.1/ref/settings/
"""

from pathlib import Path

from django.utils.csp import CSP

from onloop import env
from onloop.conf import PROBES
from onloop.env import InvalidSetting

BASE_DIR = Path(__file__).resolve().parent.parent


# 1. The project

# The file that settings are read from; environment variables take precedence.
env.read_file(env.path("ENV_FILE", BASE_DIR / ".env"))

SITE_NAME = "{{ cookiecutter.__quoted_project_name }}"
# The port of `make run`; workers, which do not listen, call the default upstream there.
PORT = env.whole_number("PORT", 8000, least=1, most=65535)
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"

INSTALLED_APPS = [
    "onloop",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "servestatic",
    "django.contrib.staticfiles",
    "accounts",
    "upstream",
    "aggregator",
    "live",
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
        "DIRS": [BASE_DIR / "templates"],
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


# 2. Security
#
# Secure unless the environment relaxes it. `SECRET_KEY` is required, and so is `ALLOWED_HOSTS`
# without `DEBUG`.

# Enables Django's debug pages and the defaults for development; `.env.example` turns it on.
DEBUG = env.flag("DEBUG", default=False)
# Signs sessions and tokens; 50 random characters.
SECRET_KEY = env.text("SECRET_KEY")
# Comma-separated host names; in containers include `127.0.0.1` for the health checks.
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS")
# Additional origins allowed to post forms and open WebSockets, such as `https://example.com`.
CSRF_TRUSTED_ORIGINS = env.names("CSRF_TRUSTED_ORIGINS")

if SECRET_KEY in ({""} if DEBUG else {"", "change-me"}):
    raise InvalidSetting("SECRET_KEY", SECRET_KEY, "your own secret: 50 random characters")
if not ALLOWED_HOSTS and not DEBUG:
    raise InvalidSetting("ALLOWED_HOSTS", "", "the host names of this site")

# Whether to redirect to HTTPS, send HSTS, and restrict cookies to HTTPS.
HTTPS_ONLY = env.flag("HTTPS_ONLY", default=not DEBUG)
SECURE_SSL_REDIRECT = HTTPS_ONLY
SECURE_REDIRECT_EXEMPT = [f"^{path}$" for path in PROBES]
SESSION_COOKIE_SECURE = HTTPS_ONLY
CSRF_COOKIE_SECURE = HTTPS_ONLY
# How long browsers insist on HTTPS, in seconds; raise it to `31536000` once HTTPS works everywhere.
SECURE_HSTS_SECONDS = (
    env.whole_number("HSTS_SECONDS", 3600, least=1, most=63_072_000) if HTTPS_ONLY else 0
)
# Whether browsers insist on HTTPS for all subdomains as well.
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.flag("HSTS_INCLUDE_SUBDOMAINS", default=False)
# Whether browsers may preload that rule, before the first visit.
SECURE_HSTS_PRELOAD = env.flag("HSTS_PRELOAD", default=False)
# Both affect hosts that this project may not serve, and removal from preload lists takes months:
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

AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "account"
LOGOUT_REDIRECT_URL = "login"

# Login attempts per client.
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
# PostgreSQL needs `poetry install -E postgres`.

# CONN_MAX_AGE leaks connections under ASGI, and ATOMIC_REQUESTS does not support async views; see
# https://docs.djangoproject.com/en/6.1/ref/databases/#persistent-connections

# SQLite, or `postgres://user:password@host:5432/name`.
DATABASES = {"default": env.database("DATABASE_URL", f"sqlite:///{BASE_DIR / 'db.sqlite3'}")}
DATABASES["default"] |= {"CONN_MAX_AGE": 0, "ATOMIC_REQUESTS": False}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Readers do not wait for the writer (WAL); writers wait for the lock instead of failing halfway
    # through (IMMEDIATE).
    DATABASES["default"]["OPTIONS"] = {
        "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL",
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
    }

if DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    from onloop.postgres import BoundedConnection, check_connection

    # Seconds that a request waits for a connection from the pool.
    pool_timeout = env.seconds("DATABASE_POOL_TIMEOUT", 10.0)
    DATABASES["default"]["OPTIONS"] = {
        "connect_timeout": 5,
        # A connection is closed after ten seconds without a response from the server's kernel:
        # https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-TCP-USER-TIMEOUT
        "tcp_user_timeout": 10_000,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        **DATABASES["default"].get("OPTIONS", {}),
        # https://www.psycopg.org/psycopg3/docs/api/pool.html
        "pool": {
            "min_size": 0,
            # Maximum PostgreSQL connections per process that requests and jobs share; a process
            # opens three more.
            "max_size": env.whole_number("DATABASE_POOL_SIZE", 10, least=1, most=1000),
            "timeout": pool_timeout,
            # The pause between attempts doubles up to this; a longer one would delay recovery.
            "reconnect_timeout": pool_timeout,
            "check": check_connection,
            "connection_class": BoundedConnection,
        },
    }


# 4. Redis
#
# Without it each process has its own cache, runs and rate limits. It needs
# `poetry install -E redis`.

# `redis://:password@host:6379/0`, for everything that processes share; empty: nothing is shared
# between processes.
REDIS_URL = env.redis_url("REDIS_URL")

if REDIS_URL:
    # An idle connection may have gone silent: its command is retried once on a new one.
    redis_options = {"socket_connect_timeout": 3, "socket_timeout": 3, "retry_on_timeout": True}
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
            "OPTIONS": redis_options,
        },
        "upstreams": {"BACKEND": "onloop.http.cache.redis.RedisCache", "OPTIONS": redis_options},
    }
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "onloop.channel_layer.BoundedRedisChannelLayer",
            "CONFIG": {"hosts": [{"address": REDIS_URL, **redis_options}]},
        }
    }
else:
    CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
        "upstreams": {
            "BACKEND": "onloop.http.cache.memory.MemoryCache",
            "OPTIONS": {
                # Maximum bytes of cached answers of upstreams per process, without Redis.
                "MAX_BYTES": env.whole_number(
                    "HTTP_CACHE_BYTES", 64 * 1024**2, least=1024**2, most=1024**4
                )
            },
        },
    }
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}


# 5. Static files

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "onloop.static.StaticFilesStorage"
    },
}


# 6. Language and time; e-mail

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True
# The mail server: `smtp+tls://user:password@host:587`, `smtp+ssl://` or `smtp://`;
# `consolemail://` prints e-mails.
MAILERS = {"default": env.mailer("EMAIL_URL", "consolemail://" if DEBUG else "smtp://localhost")}


# 7. Observability
#
# Logs go to standard error, in production too.

# `json` writes one object per line; `console` is for people.
LOG_FORMAT = env.choice("LOG_FORMAT", "console" if DEBUG else "json", accepted=("console", "json"))
# The access log is at `info`; health checks in it are at `debug`.
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
        # These would log whole URLs and headers, at INFO or DEBUG.
        "httpx": {"level": "WARNING"},
        "watchfiles": {"level": "WARNING"},
        "httpcore": {"level": "INFO"},
        "hpack": {"level": "INFO"},
    },
}

# Whether `/metrics` is served, for Prometheus.
METRICS = env.flag("METRICS", default=False)
# The URL of a collector, such as `http://collector:4318`; empty: no traces. OpenTelemetry's other
# variables work too. It needs `poetry install -E otel`.
TRACING = env.tracing("OTEL_EXPORTER_OTLP_ENDPOINT")


# 8. Limits of one process

# A larger request body gets 413. Apart from files, Django's `DATA_UPLOAD_MAX_MEMORY_SIZE` applies
# as well: 400 beyond 2.5 MB.
MAX_BODY_BYTES = env.whole_number("MAX_BODY_BYTES", 10 * 1024 * 1024, least=1, most=1024**4)
# Received requests that wait for their response; further ones get 503. 0: no limit.
MAX_PENDING_REQUESTS = env.whole_number("MAX_PENDING_REQUESTS", 0, least=0, most=1_000_000)
# Threads for sync views and the ORM; further requests wait for one.
SYNC_THREADS = env.whole_number("SYNC_THREADS", 64, least=1, most=1000)
# Background tasks; further ones are rejected.
BACKGROUND_LIMIT = env.whole_number("BACKGROUND_LIMIT", 100, least=1, most=10_000)


# 9. Calls to other servers
#
# `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY` and `SSL_CERT_FILE` have their usual meaning.

# The library that makes the calls. `pyreqwest` is faster and has HTTP/2, but it is young, and a
# cancelled call keeps its connection until its timeout. It needs `poetry install -E fast`.
HTTP_TRANSPORT = env.choice(
    "HTTP_TRANSPORT", "aiohttp", accepted=("aiohttp", "pyreqwest"), extras={"pyreqwest": "fast"}
)
# Maximum retries per call.
HTTP_RETRIES = env.whole_number("HTTP_RETRIES", 2, least=0, most=10)
# Whether a slow call gets a second copy.
HTTP_HEDGING = env.flag("HTTP_HEDGING", default=False)
# Percentage of failed calls, of the last 20 to 100, that opens a circuit; 0: it stays closed.
HTTP_BREAKER_PERCENT = env.whole_number("HTTP_BREAKER_PERCENT", 50, least=0, most=100)
# Seconds that a circuit stays open before a call probes it.
HTTP_BREAKER_SECONDS = env.seconds("HTTP_BREAKER_SECONDS", 10.0)


# 10. Upstream

# Seconds that the sync API sleeps; with `DEBUG`, `?delay=` takes precedence.
SYNC_API_DELAY = env.seconds("SYNC_API_DELAY", 1.0, zero=True)
# Upstream calls per aggregation.
AGGREGATOR_FAN_OUT = env.whole_number("AGGREGATOR_FAN_OUT", {{ cookiecutter.fan_out }}, least=1, most=1000)
# Maximum `fan_out` that a client may choose.
AGGREGATOR_MAX_FAN_OUT = env.whole_number(
    "AGGREGATOR_MAX_FAN_OUT",
    1000 if DEBUG else AGGREGATOR_FAN_OUT,
    least=AGGREGATOR_FAN_OUT,
    most=1000,
)
# The upstream, called with `task_id=N` added to its query; empty: this project's own sync API.
AGGREGATOR_UPSTREAM_URL = env.http_url("AGGREGATOR_UPSTREAM_URL", "{{ cookiecutter.upstream_url }}")
# Maximum concurrent calls per aggregation.
AGGREGATOR_CONCURRENCY = env.whole_number("AGGREGATOR_CONCURRENCY", 1000, least=1, most=1000)
# Seconds per attempt of a call, and seconds that it may wait for a free connection before.
AGGREGATOR_TIMEOUT = env.seconds("AGGREGATOR_TIMEOUT", 20.0)
# Seconds for all calls of an aggregation together.
AGGREGATOR_DEADLINE = env.seconds("AGGREGATOR_DEADLINE", 30.0)
# A longer body is cut off and reported as `bad_response`. Checking that a body is JSON blocks the
# event loop for up to 6 ms per MiB.
AGGREGATOR_MAX_RESPONSE_BYTES = env.whole_number(
    "AGGREGATOR_MAX_RESPONSE_BYTES", 1024**2, least=1, most=16 * 1024**2
)
# Maximum total bytes of all bodies of one aggregation.
AGGREGATOR_MAX_TOTAL_BYTES = env.whole_number(
    "AGGREGATOR_MAX_TOTAL_BYTES", 16 * 1024**2, least=AGGREGATOR_MAX_RESPONSE_BYTES, most=1024**3
)
# Requests per client; empty: no limit.
AGGREGATOR_RATE_LIMIT = env.rate("AGGREGATOR_RATE_LIMIT")


# 11. Jobs

INSTALLED_APPS += ["django_tasks_db", "onloop.tasks"]

# Where jobs are stored: `database`, or `rq` for Redis and RQ's workers (`poetry install -E rq`).
JOBS_BACKEND = env.choice("JOBS_BACKEND", "database", accepted=("database", "rq"))
# Whether server processes run jobs; `false` leaves them to `manage.py jobs_worker`.
JOBS_EMBEDDED = env.flag("JOBS_EMBEDDED", default=True) and JOBS_BACKEND == "database"
# Maximum concurrent jobs per process.
JOBS_CONCURRENCY = env.whole_number("JOBS_CONCURRENCY", 20, least=1, most=1000)
# Maximum attempts per job.
JOBS_ATTEMPTS = env.whole_number("JOBS_ATTEMPTS", 5, least=1, most=100)
# Queued jobs beyond which `POST /jobs/aggregate/` answers 503.
JOBS_MAX_QUEUED = env.whole_number("JOBS_MAX_QUEUED", 1000, least=1, most=1_000_000)
# Maximum bytes of a job's result as JSON, and of each body in it; a job with a larger result fails.
JOBS_MAX_RESULT_BYTES = env.whole_number(
    "JOBS_MAX_RESULT_BYTES", 1024 * 1024, least=1, most=64 * 1024**2
)
# Seconds before the second attempt, doubled before each further one.
JOBS_RETRY_SECONDS = env.seconds("JOBS_RETRY_SECONDS", 5.0)
# Interval in seconds at which idle workers and job streams query the database.
JOBS_POLL_SECONDS = env.seconds("JOBS_POLL_SECONDS", 1.0)
# Seconds of silence after which a worker's jobs are reclaimed.
JOBS_LEASE_SECONDS = env.seconds("JOBS_LEASE_SECONDS", 30.0)
# Seconds that running jobs have to finish when the process is stopped; the server allows 10.
JOBS_GRACE_SECONDS = env.seconds("JOBS_GRACE_SECONDS", 8.0, zero=True)

if JOBS_BACKEND == "rq":
    if not REDIS_URL:
        raise InvalidSetting("REDIS_URL", "", "the URL of the Redis that JOBS_BACKEND=rq requires")
    INSTALLED_APPS.append("django_rq")
    RQ_QUEUES = {"default": {"URL": REDIS_URL, "DEFAULT_RESULT_TTL": 14 * 24 * 3600}}
    TASKS = {"default": {"BACKEND": "onloop.tasks.rq.RQBackend"}}
else:
    TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
