"""The rendered project without `observed()`: no request id, access log, metrics or traces.

Comparing it with the unchanged project shows the cost of observability.
"""

from importlib import import_module

from benchmarks.contenders import probes

project = import_module("config.asgi")
application = project.ProtocolRouter(
    http=project.BodyLimits(project.EventLoopASGIHandler(), project.settings.MAX_BODY_BYTES),
    lifespan=project.Lifespan(project.shared_http_client, project.tuned_gc),
)
import_module("config.urls").urlpatterns.extend(probes.urlpatterns)
