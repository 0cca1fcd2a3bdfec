"""The project's settings for a test run, independent of the developer's environment."""

import os
from pathlib import Path

TEST_DATABASE = Path(__file__).resolve().parent.parent / "test.sqlite3"

# Regardless of the shell; processes that a test starts may get other values.
if "PYTEST_CURRENT_TEST" not in os.environ:
    os.environ |= {
        "ENV_FILE": os.devnull,
        "DATABASE_URL": f"sqlite:///{TEST_DATABASE}",
        "REDIS_URL": "",
    }
os.environ.setdefault("SECRET_KEY", "only-for-tests-only-for-tests-only-for-tests-only-for")
os.environ.setdefault("ALLOWED_HOSTS", "localhost,127.0.0.1,testserver")
os.environ.setdefault("HTTPS_ONLY", "false")
os.environ.setdefault("JOBS_EMBEDDED", "false")
os.environ.setdefault("AGGREGATOR_MAX_FAN_OUT", "1000")
os.environ.setdefault("LOG_LEVEL", "warning")

from config.settings import *  # noqa: E402, F403
from config.settings import DATABASES  # noqa: E402

# In a file, so that each thread has its own connection, as with a database server.
DATABASES["default"]["TEST"] = {"NAME": TEST_DATABASE}

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
SERVESTATIC_USE_FINDERS = True
# Secure password hashing takes half a second.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
