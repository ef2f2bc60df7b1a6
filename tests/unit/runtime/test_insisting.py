"""What fails is tried again until it is done, or until we are to end."""

import asyncio

import pytest

from runtime import insisting
from runtime.errors import ClarionError, Code
from runtime.insisting import Insister

AWAY = ClarionError(Code.UNAVAILABLE, "away")


class Work:
    """Fails so many times before it is done."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.tries = 0
        self.tried = asyncio.Event()

    async def __call__(self) -> None:
        """Try."""
        self.tries += 1
        self.tried.set()
        if self.tries <= self.failures:
            raise AWAY


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Pauses that do not end by themselves."""
    monkeypatch.setattr(insisting, "FIRST_PAUSE_S", 3600.0)
    monkeypatch.setattr(insisting, "LONGEST_PAUSE_S", 3600.0)
    return monkeypatch


@pytest.mark.parametrize("failures", [0, 1, 3])
async def test_until_it_is_done(pauses: pytest.MonkeyPatch, failures: int) -> None:
    """As often as it takes, and not once more."""
    pauses.setattr(insisting, "FIRST_PAUSE_S", 0.001)
    pauses.setattr(insisting, "LONGEST_PAUSE_S", 0.002)
    work = Work(failures)
    await Insister().until_done(work)
    assert work.tries == failures + 1


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize("failures", [1, 2])
async def test_stop_ends_a_pause(failures: int) -> None:
    """Whoever waits tries once more, at once, and is told how that went."""
    insister, work = Insister(), Work(failures)
    waiting = asyncio.create_task(insister.until_done(work))
    await work.tried.wait()
    insister.stop()
    if failures == 1:
        await waiting
    else:
        with pytest.raises(ClarionError, match="away"):
            await waiting
    assert work.tries == 2


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize("known", [AWAY, None], ids=["tried before", "not tried"])
async def test_after_stop_nothing_waits(known: ClarionError | None) -> None:
    """One try, and none of what has failed already."""
    insister, work = Insister(), Work(5)
    insister.stop()
    with pytest.raises(ClarionError, match="away"):
        await insister.until_done(work, known)
    assert work.tries == (0 if known else 1)


async def test_a_fault_of_ours_is_not_tried_again() -> None:
    """Only a ClarionError may pass by itself."""

    async def crash() -> None:
        raise KeyError("a fault of ours")

    with pytest.raises(KeyError):
        await Insister().until_done(crash)
