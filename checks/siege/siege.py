"""One attack from start to verdict: the neighbour before, during and after it, and the memory of every process."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import aiohttp

from bench.helper import HelperError
from checks.siege import neighbour, records, verdict
from checks.siege.neighbour import Seen
from checks.siege.records import Records
from checks.siege.scene import Choices, Scene, mib, scene
from checks.siege.verdict import Verdict
from checks.waiting import CheckError
from services.domain.channels import PUBLIC_NAMES_FOR_PEOPLE
from stack.faults import StackError

CHANNELS = list(PUBLIC_NAMES_FOR_PEOPLE)
RATE = 25.0
# The neighbour alone: to warm up, before, and after the attack, seconds.
_WARM_S = 4.0
_BEFORE_S = 12.0
_AFTER_S = 12.0
_RECORDED_S = 120.0


@dataclass(frozen=True)
class Attack:
    """One attack. environment: further settings of its stack. tmpfs_mib: see scene(). examine: looks at the end."""

    name: str
    title: str
    run: Callable[[Scene], Awaitable[None]]
    environment: Mapping[str, str] = field(default_factory=dict)
    tmpfs_mib: int = 0
    examine: Callable[[Scene, Seen, Records], Awaitable[None]] | None = None


@dataclass(frozen=True)
class Taken:
    """The largest memory of one process in bytes. charged: by the kernel, with page cache; 0: unknown."""

    name: str
    most: int
    limit: int | None
    charged: int


@dataclass
class Result:
    """The result of an attack."""

    attack: Attack
    verdict: Verdict
    notes: list[str]
    faults: list[str]
    # Of the processes that took the largest share of their limits.
    memory: list[Taken]


async def besiege(attack: Attack, choices: Choices, *, unlimited: bool) -> Result:
    """Run one attack on a stack of its own."""
    async with scene(choices, attack.environment, tmpfs_mib=attack.tmpfs_mib, unlimited=unlimited) as ground:
        tenant = await neighbour.create(ground.client.operator, "Neighbour")
        ground.neighbour_id = tenant.id
        order = neighbour.Order(
            url=ground.running.url,
            tenant_id=tenant.id,
            api_key=tenant.api_key,
            run=f"n{secrets.token_hex(3)}-",
            rate=RATE,
            channels=CHANNELS,
        )
        async with neighbour.neighbour(order) as uninvolved:
            await asyncio.sleep(_WARM_S)
            began = time.time()
            await asyncio.sleep(_BEFORE_S)
            attacked = time.time()
            await _attack(attack, ground)
            over = time.time()
            await asyncio.sleep(_AFTER_S)
            ended = time.time()
            seen = await uninvolved.end()
        accepted = {one.id for one in seen.sent if one.status == 200}
        postgres = ground.running.variables["CLARION_POSTGRES_URL"]
        found = await records.complete(postgres, tenant.id, accepted, CHANNELS, _RECORDED_S)
        marks = [("before", began, attacked), ("during", attacked, over), ("after", over, ended)]
        if attack.examine is not None:
            await attack.examine(ground, seen, found)
        if found.missing(accepted, CHANNELS):
            ground.notes.append(
                f"of the missing the ledger says: {await records.left(postgres, tenant.id) or 'nothing'}"
            )
        judged = verdict.judge(
            seen, found, CHANNELS, marks, verdict.Excuses(ground.excused, ground.slow, ground.repeats)
        )
        result = _result(attack, ground, judged)
        ground.faults = result.faults
        return result


async def _attack(attack: Attack, ground: Scene) -> None:
    """Run the attack. If it cannot finish, that is a fault, and the neighbour is still judged."""
    try:
        await attack.run(ground)
    except (CheckError, StackError, HelperError, aiohttp.ClientError, TimeoutError, OSError) as error:
        ground.faults.append(f"the attack did not end as planned: {error or type(error).__name__}")


def _result(attack: Attack, ground: Scene, judged: Verdict) -> Result:
    watch = ground.watch
    kills = watch.oom_kills()
    faults = ground.faults + judged.faults
    if kills:
        faults.append("killed for want of memory: " + ", ".join(f"{name} {times}" for name, times in kills.items()))
    if ended := watch.ends(but=ground.own_ends):
        faults.append(f"{ended} processes ended that the attack did not end itself")

    def share(name: str) -> float:
        return watch.highest[name] / (watch.limit(name) or 2**63)

    largest = sorted(watch.highest, key=share, reverse=True)[:3]
    for name in largest:
        if share(name) > 1:
            faults.append(f"{name} took {mib(watch.highest[name])} of {mib(watch.limit(name) or 0)}")
    memory = [Taken(name, watch.highest[name], watch.limit(name), watch.most(name)) for name in largest]
    return Result(attack, judged, ground.notes, faults, memory)
