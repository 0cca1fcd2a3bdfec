"""What is added to the settings that `startproject` writes, for the job."""

INSTALLED_APPS = ["onloop", *INSTALLED_APPS, "django_tasks_db", "onloop.tasks"]  # noqa: F821
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
JOBS_LEASE_SECONDS = 2.0  # The job of a process that was killed is reclaimed after as long.
JOBS_RETRY_SECONDS = 0.1
JOBS_POLL_SECONDS = 0.1
