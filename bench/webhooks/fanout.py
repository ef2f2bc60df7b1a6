"""Events that each go to many endpoints."""

import asyncio
from collections import Counter, defaultdict
from urllib.parse import urlsplit

import msgspec

from bench import figures, ground, helper, load, usage
from bench.figures import Latency
from bench.webhooks.sink import Receiver
from bench.webhooks.workspace import Workspace
from stack.client import Running

_GRACE_S = 60.0
# Nothing new for so long after a load: what did not arrive is missing, seconds.
_STALLED_S = 60.0


class FanOut(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a load. Times from the moment an event was due.

    rate: deliveries per second from the first event until the last delivery. each: of a delivery; last: of the last
    delivery of an event. cpu_us: processor microseconds of the stack per delivery.
    """

    endpoints: int
    events: int
    offered: float
    accepted: int
    deliveries: int
    missing: int
    duplicates: int
    invalid: int
    rate: float
    each: Latency
    last: Latency
    cpu_us: float


async def measure(
    stack: Running, workspace: Workspace, receiver: Receiver, *, rate: float, seconds: float, connections: int = 64
) -> FanOut:
    """Offer rate events/s for seconds, and wait until all deliveries have arrived."""
    address = urlsplit(stack.url)
    request = workspace.request()
    order = load.Order(
        host=address.hostname or "127.0.0.1",
        port=address.port or 80,
        path=request.path,
        headers=request.headers,
        body=request.body,
        run=ground.new_run(),
        rate=rate,
        seconds=seconds,
        connections=connections,
    )
    await receiver.mark()
    before = usage.cpu(usage.processes(stack))
    answer = await helper.ask("bench.load", order, load.Answer, deadline=seconds + order.patience + _GRACE_S)
    endpoints = len(workspace.secrets)
    accepted = sum(map(load.is_accepted, answer.status))
    await receiver.wait(accepted * endpoints, _STALLED_S)
    await asyncio.sleep(1.0)  # what comes twice comes now
    used = sum(usage.difference(usage.cpu(usage.processes(stack)), before).values())
    seen = await receiver.seen()
    due = {load.unique_id(order.run, number): moment for number, moment in enumerate(answer.due)}
    first: dict[tuple[str, str], float] = {}
    for one in seen.arrived:
        first.setdefault((one.order, one.path), one.at)
    last: dict[str, float] = defaultdict(float)
    for (order_id, _), at in first.items():
        last[order_id] = max(last[order_id], at)
    times = Counter((one.order, one.path) for one in seen.arrived)
    ended = max(last.values(), default=answer.ended)
    return FanOut(
        endpoints=endpoints,
        events=len(answer.due),
        offered=rate,
        accepted=accepted,
        deliveries=len(first),
        missing=accepted * endpoints - len(first),
        duplicates=sum(times.values()) - len(times),
        invalid=seen.invalid,
        rate=len(first) / max(0.001, ended - answer.started),
        each=figures.latency([at - due[order_id] for (order_id, _), at in first.items() if order_id in due]),
        last=figures.latency([at - due[order_id] for order_id, at in last.items() if order_id in due]),
        cpu_us=used * 1e6 / max(1, len(first)),
    )
