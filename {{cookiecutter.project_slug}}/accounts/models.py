"""The custom user model of the project: fields can be added at any time."""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """Django's user; add the project's own fields here."""
