"""The metrics of the render service."""

from prometheus_client import Counter, Histogram

from services.domain import channels
from services.render.render import Rendered

_NAMES = {0: "unknown"} | {int(number): channels.NAMES[number] for number in channels.FOR_PEOPLE}

_renders = Counter("clarion_render_items", "Items rendered, by channel and outcome.", ["channel", "outcome"])
_seconds = Histogram(
    "clarion_render_item_seconds",
    "Time that a worker spent on an item.",
    ["channel"],
    buckets=(0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
)
_restarts = Counter("clarion_render_worker_restarts", "Workers that died, by reason.", ["reason"])

_counted = {(channel, "ok"): _renders.labels(name, "ok") for channel, name in _NAMES.items()}
_timed = {channel: _seconds.labels(name) for channel, name in _NAMES.items()}


def count(result: Rendered) -> None:
    """Count one item."""
    key = (result.channel, result.reason or "ok")
    counter = _counted.get(key)
    if counter is None:
        counter = _counted[key] = _renders.labels(_NAMES[result.channel], key[1])
    counter.inc()
    _timed[result.channel].observe(result.duration_us / 1e6)


def count_restart(reason: str) -> None:
    """Count a worker's death."""
    _restarts.labels(reason).inc()
