"""Work that fails is repeated until it succeeds, or until its end. The pauses are the test's own."""

import asyncio
from types import SimpleNamespace

import pytest
import tenacity

from runtime import retrying as module
from runtime.errors import ClarionError, Code
from runtime.retrying import RetryUntilAccepted, failure_of, retry

AWAY = ClarionError(Code.UNAVAILABLE, "away")


class Work:
    """Fails so many times before it succeeds."""

    def __init__(self, failures: int, error: Exception = AWAY) -> None:
        self.failures = failures
        self.error = error
        self.attempts = 0
        self.attempted = asyncio.Event()

    async def __call__(self) -> int:
        """Try; return the number of attempts."""
        self.attempts += 1
        self.attempted.set()
        if self.attempts <= self.failures:
            raise self.error
        return self.attempts


class FakeClock:
    """A clock that only the pauses move."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.pauses: list[float] = []
        monkeypatch.setattr(tenacity, "time", SimpleNamespace(monotonic=lambda: self.now))

    async def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Time as retries see it."""
    return FakeClock(monkeypatch)


async def test_pauses_double_up_to_the_longest_each_with_jitter(clock: FakeClock) -> None:
    """Longer by up to the first pause, at random, also at the longest: those that failed together come apart."""
    seen: list[tuple[str, int]] = []
    work = Work(8)
    done = await retry(
        work,
        ClarionError,
        first_s=0.1,
        longest_s=0.4,
        before_pause=lambda failure, number: seen.append((str(failure), number)),
        sleep=clock.sleep,
    )
    assert done == 9
    for pause, least in zip(clock.pauses, [0.1, 0.2, *[0.4] * 6], strict=True):
        assert least <= pause <= least + 0.1
    assert len(set(clock.pauses[2:])) > 1
    assert seen == [("away", number) for number in range(1, 9)]


async def test_it_ends_in_time_with_the_last_failure(clock: FakeClock) -> None:
    """Past within_s no pause is made, and the failure is raised as it is."""
    work = Work(1000)
    with pytest.raises(ClarionError, match="away"):
        await retry(work, ClarionError, first_s=1, longest_s=1, within_s=10, sleep=clock.sleep)
    assert 10 <= clock.now <= 12
    assert work.attempts == len(clock.pauses) + 1


@pytest.mark.parametrize("error", [KeyError("a fault of ours"), FileNotFoundError()])
async def test_other_failures_are_raised_at_once(clock: FakeClock, error: Exception) -> None:
    """One that is not named, and one that is excepted."""
    work = Work(5, error)
    with pytest.raises(type(error)):
        await retry(work, OSError, unless=FileNotFoundError, first_s=1, longest_s=1, sleep=clock.sleep)
    assert work.attempts == 1


async def test_work_may_be_any_function_that_returns_something_to_await(clock: FakeClock) -> None:
    """A lambda, too: it is awaited, not taken for done."""
    work = Work(1)
    assert (
        await retry(lambda: asyncio.ensure_future(work()), ClarionError, first_s=1, longest_s=1, sleep=clock.sleep) == 2
    )


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that do not end by themselves."""
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 3600.0)
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 3600.0)


@pytest.mark.parametrize("failures", [0, 1, 3])
async def test_until_it_is_accepted(monkeypatch: pytest.MonkeyPatch, failures: int) -> None:
    """As often as it takes, and not once more."""
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 0.0)
    work = Work(failures)
    await RetryUntilAccepted()(work)
    assert work.attempts == failures + 1


@pytest.mark.usefixtures("endless")
@pytest.mark.parametrize("failures", [1, 2])
async def test_stop_ends_a_pause(failures: int) -> None:
    """Whoever waits tries once more, at once, and gets the outcome of that."""
    retry_until_accepted, work = RetryUntilAccepted(), Work(failures)
    waiting = asyncio.create_task(retry_until_accepted(work))
    await work.attempted.wait()
    retry_until_accepted.stop()
    if failures == 1:
        await waiting
    else:
        with pytest.raises(ClarionError, match="away"):
            await waiting
    assert work.attempts == 2


@pytest.mark.usefixtures("endless")
@pytest.mark.parametrize("known", [AWAY, None], ids=["tried before", "not tried"])
async def test_after_stop_nothing_waits(known: ClarionError | None) -> None:
    """One attempt, and none of what has failed already."""
    retry_until_accepted, work = RetryUntilAccepted(), Work(5)
    retry_until_accepted.stop()
    with pytest.raises(ClarionError, match="away"):
        await retry_until_accepted(work, known)
    assert work.attempts == (0 if known else 1)


async def test_a_fault_of_ours_is_not_retried() -> None:
    """Only a ClarionError may pass by itself."""
    with pytest.raises(KeyError):
        await RetryUntilAccepted()(Work(1, KeyError("a fault of ours")))


async def test_a_failure_is_returned() -> None:
    """None where there was none."""
    assert await failure_of(Work(1)) is AWAY
    assert await failure_of(Work(0)) is None
