"""The rendered project's own ASGI application, with the benchmark's two views added to its URLs.

Runs on the project's interpreter in the project's folder: `config` is the project's package, so
handler, middleware and settings are the project's own.
"""

from importlib import import_module

from benchmarks.contenders import probes

application = import_module("config.asgi").application
import_module("config.urls").urlpatterns.extend(probes.urlpatterns)
