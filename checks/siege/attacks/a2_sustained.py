"""Small events of one tenant for minutes, at a rate that the machine can hold: memory, disk and latency."""

import asyncio

from checks.siege.scene import MIB, Scene, mib
from checks.siege.siege import Attack
from checks.siege.sustained import sustained

_FULL_MINUTES = 10.0
_NATS_BYTES = 300 * MIB
_EVENT_BYTES = 1_500
# From the first third of the time to the last, the broker's memory may grow by this share and so much more.
_GROWTH, _GROWTH_FLOOR = 1.3, 24 * MIB
# The last minute's p95 beside the first one's, milliseconds.
_SLOWER, _SLOWER_FLOOR = 1.5, 30.0
_SAMPLE_S = 10.0


async def _attack(scene: Scene) -> None:
    async with sustained(scene) as load:
        rate = scene.choices.rate or round(await load.held_rate() / 2)
        minutes = scene.choices.minutes or max(1.0, _FULL_MINUTES * scene.choices.scale)
        samples: list[int] = []
        sampling = asyncio.create_task(_sample(scene, samples))
        try:
            # Short runs have short "minutes", for there must be a first and a last.
            every_s = 60.0 if minutes >= 3 else minutes * 20
            await load.run(rate, minutes, _say, every_s=every_s)
        finally:
            sampling.cancel()
            await asyncio.gather(sampling, return_exceptions=True)
        total = await load.total()
    scene.check(total.clean, f"{rate:,.0f} events/s for {minutes:g} minutes: {total}")
    _judge_memory(scene, samples)
    each = load.bytes_per_event()
    scene.check(each <= _EVENT_BYTES, f"{each:,.0f} bytes an event on the broker's disk before any purge")
    ends = [minute.batch.end_to_end_ms() for minute in load.minutes]
    told = ", ".join(f"{p50:.0f} / {p95:.0f}" for p50, p95 in ends)
    scene.check(ends[-1][1] <= _SLOWER * ends[0][1] + _SLOWER_FLOOR, f"end to end p50 / p95 by minute, ms: {told}")


def _judge_memory(scene: Scene, samples: list[int]) -> None:
    third = max(1, len(samples) // 3)
    early, late = max(samples[:third], default=0), max(samples[-third:], default=0)
    scene.notes.append(f"NATS each {_SAMPLE_S:.0f} s, MiB: {' '.join(f'{one / MIB:.0f}' for one in samples)}")
    scene.check(late <= _NATS_BYTES, f"NATS took {mib(late)} at the end")
    scene.check(
        late <= _GROWTH * early + _GROWTH_FLOOR, f"NATS went from {mib(early)} in the first third to {mib(late)}"
    )


async def _sample(scene: Scene, samples: list[int]) -> None:
    while True:
        await asyncio.sleep(_SAMPLE_S)
        samples.append(scene.taken("nats"))


def _say(text: str) -> None:
    print("\n".join(f"    {one}" for one in text.splitlines()), flush=True)


ATTACK = Attack("a2", "small events at half of what the machine holds, for minutes", _attack)
