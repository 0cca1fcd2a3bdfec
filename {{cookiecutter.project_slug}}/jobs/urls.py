from django.urls import path

from jobs.views import enqueue_aggregation
from onloop.tasks.views import job, job_events

urlpatterns = [
    path("jobs/aggregate/", enqueue_aggregation, name="enqueue_aggregation"),
    path("jobs/<job_id>/", job, name="job"),
    path("jobs/<job_id>/events/", job_events, name="job_events"),
]
