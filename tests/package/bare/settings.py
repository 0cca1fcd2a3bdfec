"""Settings for the job, in addition to those that `startproject` writes."""

INSTALLED_APPS = ["onloop", *INSTALLED_APPS, "django_tasks_db", "onloop.tasks"]  # noqa: F821
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
JOBS_LEASE_SECONDS = 2.0  # The job of a killed process is reclaimed after that time.
JOBS_RETRY_SECONDS = 0.1
JOBS_POLL_SECONDS = 0.1
