"""The corpus of attacks: pybars3 as published falls for each; behind the guard none reaches anything."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.render.pybars3.corpus import ATTACKS, DATA, Attack

_ROOT = Path(__file__).parents[4]
_DEADLINE_S = 250
_CASES = list(enumerate(ATTACKS))
_IDS = [attack.name for attack in ATTACKS]


def _outcomes(engine: str) -> list[str]:
    """What becomes of every attack: in a process of their own, for they may take it over."""
    attacks = [[attack.template, DATA if attack.data is None else attack.data, attack.partials] for attack in ATTACKS]
    command = [sys.executable, "-W", "ignore", "-m", "tests.integration.render.pybars3.attack", engine]
    done = subprocess.run(
        command, input=json.dumps(attacks), cwd=_ROOT, capture_output=True, text=True, timeout=_DEADLINE_S, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    outcomes: list[str] = json.loads(done.stdout)
    return outcomes


@pytest.fixture(scope="module")
def stock() -> list[str]:
    """Of pybars3 as published."""
    return _outcomes("stock")


@pytest.fixture(scope="module")
def guarded() -> list[str]:
    """Of the guard alone, without our compiler before it."""
    return _outcomes("guard")


@pytest.fixture(scope="module")
def engine() -> list[str]:
    """Of the engine."""
    return _outcomes("engine")


@pytest.mark.parametrize(("index", "attack"), _CASES, ids=_IDS)
def test_stock_pybars3_falls_for_it(stock: list[str], index: int, attack: Attack) -> None:
    """The corpus is real."""
    assert re.match(attack.stock, stock[index], re.DOTALL)


@pytest.mark.parametrize(("index", "attack"), _CASES, ids=_IDS)
def test_the_guard_alone_stops_it(guarded: list[str], index: int, attack: Attack) -> None:
    """Nothing of it is reached, even where our compiler would not have refused it before."""
    assert not re.search(attack.reached or attack.stock, guarded[index], re.DOTALL)


@pytest.mark.parametrize(("index", "attack"), _CASES, ids=_IDS)
def test_the_engine_stops_it(engine: list[str], index: int, attack: Attack) -> None:
    """It writes nothing, or what it ought to, or a fault of the template."""
    assert re.match(attack.engine, engine[index], re.DOTALL)
