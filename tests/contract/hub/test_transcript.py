"""The transcript recorded from a real Centrifugo holds, case by case."""

from __future__ import annotations

import asyncio

import pytest

from .replay import Replay, case_id, recorded
from .servers import Engine, running

_CASES = recorded()


@pytest.fixture(scope="module")
def replay(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Replay:
    """Replay all cases once, on two fresh servers."""
    folder = tmp_path_factory.mktemp("replay")
    with running(engine, folder) as alone, running(engine, folder) as story:
        done = Replay(alone, story)
        asyncio.run(done.run())
    return done


@pytest.mark.parametrize("index", range(len(_CASES)), ids=[case_id(i, case) for i, case in enumerate(_CASES)])
def test_recorded_case(replay: Replay, index: int) -> None:
    """The server answers as it was recorded."""
    assert index in replay.outcomes, "not reached: a case that it builds on failed"
    problem = replay.outcomes[index]
    if problem is not None:
        raise AssertionError(str(problem) or repr(problem)) from problem
