from django.db import models


class Lease(models.Model):
    """A worker, and until when others regard it as alive. Jobs are models of django-tasks-db."""

    worker_id = models.CharField(primary_key=True, max_length=200)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.worker_id
