from django.urls import path

from jobs import views

urlpatterns = [
    path("jobs/aggregate/", views.enqueue_aggregation, name="enqueue_aggregation"),
    path("jobs/<job_id>/", views.job, name="job"),
    path("jobs/<job_id>/events/", views.job_events, name="job_events"),
]
