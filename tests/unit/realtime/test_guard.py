"""The hub is used only while it is known to be safe."""

import asyncio

from services.realtime.guard import HubGuard, HubState
from services.realtime.probe import ProbeReport

_SAFE = ProbeReport(reachable=True)
_AWAY = ProbeReport(reachable=False, detail="connection refused")
_OPEN = ProbeReport(reachable=True, faults=("It allows another user's channel.",))


async def _after(*reports: ProbeReport) -> tuple[HubGuard, int]:
    """Return a guard that has seen these reports, and how many changes it told of."""
    waiting, told = list(reports), 0

    async def probe() -> ProbeReport:
        return waiting.pop(0)

    async def listener() -> None:
        nonlocal told
        told += 1

    guard = HubGuard(probe)
    guard.on_change(listener)
    for _ in reports:
        await guard.check()
    return guard, told


async def test_untried_is_not_trusted_but_does_not_stop_the_service() -> None:
    """A hub that is away at the start comes later."""
    for guard in (HubGuard(lambda: asyncio.sleep(0, _AWAY)), (await _after(_AWAY))[0]):
        assert guard.state is HubState.AWAY
        assert guard.may_serve


async def test_an_open_hub_stops_the_service() -> None:
    """Whether it was away or safe before."""
    for before in (_AWAY, _SAFE):
        guard, _ = await _after(before, _OPEN)
        assert (guard.state, guard.may_serve) == (HubState.UNSAFE, False)


async def test_an_open_hub_that_goes_away_is_not_forgiven() -> None:
    """Only a probe that finds it safe does that."""
    guard, told = await _after(_OPEN, _AWAY)
    assert not guard.may_serve
    assert told == 1
    guard, _ = await _after(_OPEN, _AWAY, _SAFE)
    assert (guard.state, guard.faults, guard.may_serve) == (HubState.SAFE, (), True)


async def test_each_change_is_told_once() -> None:
    """Health follows; the log is not filled with repeats."""
    _, told = await _after(_SAFE, _SAFE, _AWAY, _AWAY, _SAFE, _OPEN, _OPEN)
    assert told == 4


async def test_doubt_brings_the_next_probe_forward() -> None:
    """A failed publication does not wait for the calm interval."""
    probed = asyncio.Semaphore(0)

    async def probe() -> ProbeReport:
        probed.release()
        return _SAFE

    guard = HubGuard(probe)
    await guard.check()
    await probed.acquire()
    running = asyncio.create_task(guard.run())
    guard.doubt()
    async with asyncio.timeout(30):
        await probed.acquire()
    running.cancel()
