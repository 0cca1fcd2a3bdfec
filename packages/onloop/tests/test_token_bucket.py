import pytest

from onloop.token_bucket import RefilledBucket, TokenBucket


def taken(bucket: TokenBucket) -> int:
    """The number of tokens that the bucket had."""
    count = 0
    while bucket.take():
        count += 1
    return count


def test_full_bucket_has_its_capacity_and_an_empty_one_nothing() -> None:
    assert taken(TokenBucket(3, full=True)) == 3
    assert taken(TokenBucket(3, full=False)) == 0


def test_fractions_add_up_to_no_more_than_the_capacity() -> None:
    bucket = TokenBucket(3, full=False)
    bucket.put(0.5)
    assert taken(bucket) == 0
    bucket.put(0.75)
    assert taken(bucket) == 1
    bucket.put(100)
    assert taken(bucket) == 3


def test_refilled_bucket_gains_tokens_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("onloop.token_bucket.monotonic", lambda: now)
    bucket = RefilledBucket(2, per_second=5.0)
    assert taken(bucket) == 2
    now = 0.21
    assert taken(bucket) == 1
    now = 100.0
    assert taken(bucket) == 2
