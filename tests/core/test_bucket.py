"""The token bucket: its rate, its size, and a clock that does not move or jumps."""

from job_orchestra.core.bucket import Bucket


def taken(bucket: Bucket, at: float, tries: int) -> int:
    return sum(bucket.take(at) for _ in range(tries))


def test_a_burst_then_the_rate() -> None:
    bucket = Bucket(rate=5, size=10)
    assert taken(bucket, 100.0, 50) == 10
    assert taken(bucket, 100.1, 50) == 0
    assert taken(bucket, 101.0, 50) == 5
    assert taken(bucket, 1_000_000.0, 50) == 10
    assert taken(bucket, 0.0, 50) == 0


def test_it_says_how_long_to_wait() -> None:
    bucket = Bucket(rate=4, size=1)
    assert bucket.wait_s(7.0) == 0
    assert bucket.take(7.0)
    assert bucket.wait_s(7.0) == 0.25
    assert bucket.wait_s(7.125) == 0.125
    assert bucket.take(7.25)
