"""The deployment's time stands and goes on, and never goes back."""

from convex_async.local.clock import WallClock


def test_a_clock_that_stands_goes_on_from_there() -> None:
    clock = WallClock()
    ahead = clock.time() + 3600
    clock.stand(ahead)
    assert clock.time() == clock.time() == ahead
    clock.stand(ahead - 1800)
    assert clock.time() == ahead
    clock.go_on()
    clock.go_on()
    assert ahead <= clock.time() < ahead + 60
