"""The project's settings for a test run: no `.env` of a developer, nothing to collect first."""

import os

os.environ.setdefault("ENV_FILE", os.devnull)
os.environ.setdefault("SECRET_KEY", "only-for-tests-only-for-tests-only-for-tests-only-for")
os.environ.setdefault("ALLOWED_HOSTS", "localhost,127.0.0.1,testserver")
os.environ.setdefault("HTTPS_ONLY", "false")
os.environ.setdefault("JOBS_EMBEDDED", "false")
os.environ.setdefault("AGGREGATOR_MAX_FAN_OUT", "1000")

from config.settings import *  # noqa: F403
from config.settings import BASE_DIR, DATABASES

# In a file, so that each thread has a connection of its own, as with a database server.
DATABASES["default"]["TEST"] = {"NAME": BASE_DIR / "test.sqlite3"}

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
SERVESTATIC_USE_FINDERS = True
