"""The models of durable jobs; the jobs themselves are a model of django-tasks-db."""

from django.db import models


class Lease(models.Model):
    """A worker, and the time until which other workers consider it alive."""

    worker_id = models.CharField(primary_key=True, max_length=200)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.worker_id
