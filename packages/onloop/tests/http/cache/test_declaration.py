import dataclasses
from math import nan
from typing import Any

import pytest

from onloop.http.cache import Cache


def test_nothing_is_fresh_stale_or_shared_unless_declared() -> None:
    assert dataclasses.astuple(Cache()) == (0, 0, 0, False)


@pytest.mark.parametrize("name", ["fresh", "stale_while_revalidate", "stale_if_error"])
@pytest.mark.parametrize("value", [-1, -0.1, nan])
def test_negative_durations_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name}=.* must be a number of seconds from 0"):
        Cache(**{name: value})
