"""The Django app of `onloop`, which brings the management commands."""

from django.apps import AppConfig

from onloop.gc import resume


class OnloopConfig(AppConfig):
    """The app; list it first in `INSTALLED_APPS`."""

    name = "onloop"

    def ready(self) -> None:
        """Resume garbage collection: everything is imported."""
        resume()
