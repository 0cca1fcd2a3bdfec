"""django-stubs' plugin for mypy, whose cache outlives a change of INSTALLED_APPS.

mypy caches with each module what the plugin reports for it, and discards it when that differs.
"""

from typing import Any

from mypy.plugin import ReportConfigContext
from mypy_django_plugin.main import NewSemanalDjangoPlugin

DJANGO = ("django", "channels")


class Plugin(NewSemanalDjangoPlugin):
    """Reports INSTALLED_APPS for Django, for packages that use it and for the project only."""

    def report_config_data(self, ctx: ReportConfigContext) -> dict[str, Any]:
        """Return the settings that the types in a module may depend on."""
        data = super().report_config_data(ctx)
        if "site-packages" in ctx.path and not any(name in ctx.id for name in DJANGO):
            return {name: value for name, value in data.items() if name != "INSTALLED_APPS"}
        return data


def plugin(version: str) -> type[Plugin]:
    """Return the plugin, for mypy."""
    return Plugin
