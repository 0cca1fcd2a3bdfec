"""The users of the project. It is a model of its own, so fields can be added at any time."""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """Django's user, until the project adds to it."""
