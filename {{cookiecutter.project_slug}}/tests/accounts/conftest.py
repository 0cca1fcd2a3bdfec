import pytest
from django.contrib.auth import get_user_model

from accounts.models import User

PASSWORD = "correct horse battery staple"


@pytest.fixture
def ada(db: None) -> User:
    """A user whose password is `PASSWORD`."""
    return get_user_model().objects.create_user("ada", password=PASSWORD)
