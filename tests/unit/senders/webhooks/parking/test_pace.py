"""How fast what waits is sent."""

import pytest

from services.senders.webhooks.parking.pace import Pacer, SlowStart, at_once


def test_a_slow_start_doubles_up_to_its_limit() -> None:
    """4, 8, 16 … a second; then the endpoint has shown that it takes what comes."""
    start = SlowStart(limit=200.0, now=100.0)
    assert [start.per_s(100.0 + second) for second in range(7)] == [4, 8, 16, 32, 64, 128, 200]
    assert not start.is_over(105.0)
    assert start.is_over(106.0)
    assert start.is_over(10_000.0)


def test_a_failure_halves_it() -> None:
    """And it doubles again from there; never below one a second."""
    start = SlowStart(limit=200.0, now=0.0)
    start.slow_down(4.0)
    assert [start.per_s(at) for at in (4.0, 5.0)] == [32, 64]
    for _ in range(20):
        start.slow_down(5.0)
    assert start.per_s(5.0) == 1


def test_a_pacer_spaces_evenly() -> None:
    """Whatever comes at once: a tenth of a second's burst, then one after another."""
    pacer = Pacer(next_at=0.0)
    now, times = 50.0, []
    for _ in range(40):
        now += pacer.wait_s(20.0, now)
        times.append(now)
    assert times[0] == 50.0
    assert times[-1] - times[0] == pytest.approx(38 / 20)
    windows = [sum(at <= one < at + 1 for one in times) for at in times]
    assert max(windows) <= 22


def test_few_at_once_at_first() -> None:
    """As many as a second's deliveries, at most what is allowed, at least one."""
    assert [at_once(per_s, 16) for per_s in (0.5, 4.0, 200.0)] == [1, 4, 16]
