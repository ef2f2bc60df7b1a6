"""PostgreSQL is stopped for 1 s, 25 s and 60 s under the neighbour's mixed load: e-mail, SMS and push."""

import asyncio
import time

from checks.outage import postgres_away
from checks.siege import records
from checks.siege.neighbour import Seen
from checks.siege.records import Records
from checks.siege.scene import Scene
from checks.siege.siege import CHANNELS, Attack

AWAY_S = (1.0, 25.0, 60.0)
# What waited must go on, and be delivered, so soon after PostgreSQL is back.
_RESUMED_S, _DELIVERED_S = 2.0, 5.0
_BETWEEN_S = 30.0


async def _attack(scene: Scene) -> None:
    began = time.time()
    for seconds in AWAY_S:
        scene.aways.append(await postgres_away(scene.running, seconds))
        await asyncio.sleep(_BETWEEN_S)
    # Its deliveries wait meanwhile; refusing an event is a fault even so.
    scene.slow.append((began, time.time()))
    scene.own_ends.add("postgres")


async def _examine(scene: Scene, seen: Seen, found: Records) -> None:
    for away in scene.aways:
        waited = [one for one in seen.sent if one.status == 200 and away.gone <= one.due < away.back]
        for channel in CHANNELS:
            at = [found.first[channel][one.id] for one in waited if one.id in found.first[channel]]
            after = [moment - away.back for moment in at if moment >= away.back]
            in_time = min(after, default=0.0) <= _RESUMED_S and max(after, default=0.0) <= _DELIVERED_S
            scene.check(
                len(at) == len(waited) and in_time,
                f"away for {away.back - away.gone:.0f} s, {channel}: {len(at)} of {len(waited)} accepted meanwhile were"
                f" delivered, the first {min(after, default=0.0):.1f} s and the last {max(after, default=0.0):.1f} s"
                " after its return",
            )
    dead = await records.dead_letters(scene.running.variables["CLARION_POSTGRES_URL"], scene.neighbour_id)
    scene.check(not dead, f"{dead} dead letters")


ATTACK = Attack("b10", "PostgreSQL away for 1 s, for 25 s and for 60 s", _attack, examine=_examine)
