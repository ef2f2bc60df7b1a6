"""Shared calls: few of them, and no result older than its caller."""

import asyncio
import time

import pytest

from services.router.single_flight import SingleFlight


async def test_no_answer_is_older_than_its_asker() -> None:
    """An object created after a "there is none" is found by every later call."""
    there: list[str] = []
    asking: SingleFlight[list[str]] = SingleFlight(spacing_s=0.05)

    async def question() -> list[str]:
        return list(there)

    assert await asking.run("k", question) == []
    there.append("made")
    assert await asking.run("k", question) == ["made"]


async def test_a_flood_shares_questions() -> None:
    """A thousand callers within the spacing: one call for the first, and one more for all others."""
    put: list[float] = []
    asking: SingleFlight[int] = SingleFlight(spacing_s=0.1)

    async def question() -> int:
        put.append(time.monotonic())
        return len(put)

    first = await asking.run("k", question)
    answers = await asyncio.gather(*[asking.run("k", question) for _ in range(1000)])
    assert (first, set(answers)) == (1, {2})
    assert put[1] - put[0] >= 0.09


async def test_other_keys_do_not_wait() -> None:
    """The spacing applies to equal keys only."""
    asking: SingleFlight[str] = SingleFlight(spacing_s=300)

    async def question() -> str:
        return "answer"

    async with asyncio.timeout(30):
        assert await asking.run("a", question) == await asking.run("b", question) == "answer"


async def test_a_fault_reaches_everyone_and_is_not_kept() -> None:
    """All callers that share the call receive the error; the next call is a new one."""
    asking: SingleFlight[str] = SingleFlight(spacing_s=0.01)
    faults = [ConnectionError("away")]

    async def question() -> str:
        if faults:
            raise faults.pop()
        return "back"

    outcomes = await asyncio.gather(*[asking.run("k", question) for _ in range(3)], return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ConnectionError] * 3
    assert await asking.run("k", question) == "back"


async def test_one_that_gives_up_takes_nothing_from_the_others() -> None:
    """A cancelled caller does not cancel the shared call."""
    asking: SingleFlight[str] = SingleFlight(spacing_s=0.05)

    async def question() -> str:
        return "answer"

    impatient = asyncio.create_task(asking.run("k", question))
    patient = asyncio.create_task(asking.run("k", question))
    await asyncio.sleep(0)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    assert await patient == "answer"
