"""Template bombs in real workers: each is stopped by its limit, in bounded time and memory, and alone."""

import pytest

from bench.render.bombs import BOMBS, Bomb
from bench.render.measure import LIMITS, MIB, blast

# Half a second of processor time is the limit, twice that the end of the worker; the machine may be busy.
_LONGEST_MS = 20_000
# Data and code that a worker holds beside its limit's share.
_SLACK = 16 * MIB


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: str(bomb.name).replace(" ", "-"))
async def test_bomb(bomb: Bomb) -> None:
    """The bomb is one item's failure; the items before and behind it are rendered."""
    blasted = await blast(bomb)
    print(f"{blasted.bomb}: {blasted.outcome}, {blasted.ms:,.0f} ms, {blasted.grown / MIB:.1f} MiB")
    assert blasted.expected, blasted.outcome
    assert blasted.spared
    assert blasted.ms < _LONGEST_MS
    assert blasted.grown < LIMITS.memory + _SLACK
