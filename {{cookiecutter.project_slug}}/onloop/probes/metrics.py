"""`/metrics` for Prometheus."""

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from onloop.conf import settings


@require_safe
@never_cache
async def metrics(request: HttpRequest) -> HttpResponse:
    """Return all metrics, in Prometheus' text format or as OpenMetrics.

    Raises:
        Http404: `settings.METRICS` is off.
    """
    if not settings.METRICS:
        raise Http404("METRICS is off.")
    # With METRICS off, prometheus_client is not imported at all.
    from onloop.probes.exposition import exposition

    content, content_type = exposition(request.headers.get("Accept", ""))
    return HttpResponse(content, content_type=content_type)
