"""Bad keys from the neighbour's own address, as behind an unknown proxy. Valid keys must be accepted."""

import asyncio
import secrets
from collections import Counter

from checks.siege import neighbour
from checks.siege.scene import Scene
from checks.siege.siege import Attack

# Past the gateway's budget of 100 a minute.
BAD_KEYS = 150
_AT_ONCE = 10
# A gateway remembers a valid key for 2 s.
_FORGOTTEN_S = 3.0


async def _attack(scene: Scene) -> None:
    strangers = [await neighbour.create(scene.client.operator, f"Stranger {number}") for number in range(3)]
    room = asyncio.Semaphore(_AT_ONCE)
    bad: Counter[int] = Counter()

    async def guess(number: int) -> None:
        async with room:
            headers = {"x-api-key": secrets.token_hex(20)}
            answer = await strangers[0].trigger(neighbour.event(f"bad-{number}", ["SMS"]), headers=headers)
            bad[answer.status] += 1

    await asyncio.gather(*(guess(number) for number in range(BAD_KEYS)))
    scene.check(
        set(bad) <= {401, 429}, f"{BAD_KEYS} bad keys: {', '.join(f'{n} x {status}' for status, n in bad.items())}"
    )
    await asyncio.sleep(_FORGOTTEN_S)
    for number, stranger in enumerate(strangers):
        answer = await stranger.trigger(neighbour.event(f"good-{number}", ["SMS"]))
        scene.check(answer.status == 200, f"a valid key that this gateway has forgotten: {answer.status}")
    answer = await scene.client.operator.call("GET", f"/tenants/{strangers[0].id}")
    scene.check(answer.status == 200, f"the operator's token: {answer.status}")
    answer = await strangers[0].trigger(neighbour.event("bad", ["SMS"]), headers={"x-api-key": "still-wrong"})
    scene.check(answer.status == 429, f"one more bad key: {answer.status}")


ATTACK = Attack("a6", "150 bad keys in a minute from the address that everybody shares", _attack)
