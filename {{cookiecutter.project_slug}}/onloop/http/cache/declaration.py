"""What an upstream declares about its cache."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """How answers of an upstream are kept. Durations are in seconds.

    An answer is used again only for requests with the same credentials: each set of them has a
    private cache of its own. With `shared`, the cache is one for all callers: an answer marked
    `private` is not kept, and one to a request with credentials only if the upstream allows it
    explicitly (RFC 9111, section 3.5).

    Args:
        fresh: how long an answer is fresh about which the upstream says nothing.
        stale_while_revalidate: how long after that it is returned immediately, while one request
            in the background brings a new one; unless the upstream says otherwise (RFC 5861).
        stale_if_error: how long after that it is returned if the upstream cannot be reached or
            answers with status 500, 502, 503 or 504; unless the upstream says otherwise.
        shared: whether all callers have one cache, whatever their credentials.

    Raises:
        ValueError: a duration is negative.
    """

    fresh: float = 0.0
    stale_while_revalidate: float = 0.0
    stale_if_error: float = 0.0
    shared: bool = False

    def __post_init__(self) -> None:
        for name in ("fresh", "stale_while_revalidate", "stale_if_error"):
            if not (seconds := getattr(self, name)) >= 0:  # Neither is NaN.
                raise ValueError(f"{name}={seconds!r} must be a number of seconds from 0.")
