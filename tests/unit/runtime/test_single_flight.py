"""Shared calls: few of them, and no result older than its caller."""

import asyncio

import pytest

from runtime.single_flight import SingleFlight

_NEVER_S = 1_000_000.0


async def test_no_answer_is_older_than_its_asker() -> None:
    """What was made after a "there is none" is found by whoever asks from then on."""
    there: list[str] = []
    asking: SingleFlight[list[str]] = SingleFlight(spacing_s=0.05)

    async def question() -> list[str]:
        return list(there)

    assert await asking.run("k", question) == []
    there.append("made")
    assert await asking.run("k", question) == ["made"]


async def test_a_flood_shares_questions() -> None:
    """A thousand askers within the spacing: the first one's question, and one more for all the others."""
    put: list[str] = []
    asking: SingleFlight[int] = SingleFlight(spacing_s=0.1)

    async def question() -> int:
        put.append("k")
        return len(put)

    first = await asking.run("k", question)
    answers = await asyncio.gather(*[asking.run("k", question) for _ in range(1000)])
    assert (first, set(answers)) == (1, {2})


async def test_the_next_question_waits_for_the_spacing() -> None:
    """With a spacing without end it is never put, though the first one has its answer."""
    asking: SingleFlight[str] = SingleFlight(spacing_s=0)
    put: list[str] = []

    async def question() -> str:
        put.append("k")
        return "answer"

    assert await asking.run("k", question) == "answer"
    asking._spacing_s = _NEVER_S
    waiting = asyncio.create_task(asking.run("k", question))
    for _ in range(100):
        await asyncio.sleep(0)
    assert (put, waiting.done()) == (["k"], False)
    waiting.cancel()


async def test_other_keys_do_not_wait() -> None:
    """The spacing is for the same thing only."""
    asking: SingleFlight[str] = SingleFlight(spacing_s=0)

    async def question() -> str:
        return "answer"

    assert await asking.run("a", question) == "answer"
    asking._begun["a"] += _NEVER_S
    assert await asking.run("b", question) == "answer"


async def test_a_fault_reaches_everyone_and_is_not_kept() -> None:
    """All that share it; the next question is a new one."""
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
    """A cancelled asker leaves the question going."""
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
