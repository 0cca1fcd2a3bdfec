from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from jobs.tasks import aggregate
from onloop.rate_limit import rate_limited
from onloop.redis import redis_required
from onloop.tasks.views import enqueued, queue_limited
from upstream.fan_out import fan_out_from_query


@csrf_exempt
@require_POST
@rate_limited("AGGREGATOR_RATE_LIMIT")
@redis_required
@fan_out_from_query
@queue_limited
async def enqueue_aggregation(request: HttpRequest, fan_out: int) -> HttpResponseBase:
    """Enqueue an aggregation as a job, and answer 202 with the URL of the job.

    It needs no CSRF token: the token protects what a visitor's cookies allow, and this view reads
    no cookies. A view that does must keep the token, or authenticate its client by a header.
    """
    return enqueued(await aggregate.aenqueue(fan_out))
