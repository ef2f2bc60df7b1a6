"""One open page: what it watches, and what is still to be sent to it. It has a bound, and what it loses is counted."""

import asyncio
from collections import OrderedDict
from collections.abc import Collection
from typing import Any

import msgspec

from clarion.ingest.v1 import activity_pb2, ledger_pb2
from gateway.admin.events import shown
from gateway.live.watches import MAX_WATCHES, Watch

# Batches of a watch that wait for a slow page. When another comes, the oldest is lost, and its events are counted.
MAX_WAITING = 8

_encode = msgspec.json.Encoder().encode


class Page:
    """A page, as the hub sees it. next() gives what is to be sent."""

    def __init__(self) -> None:
        self._watches: dict[str, Watch] = {}
        # By watch: messages that wait.
        self._waiting: OrderedDict[str, list[dict[str, Any]]] = OrderedDict()
        self._lost: dict[str, int] = {}
        self._notices: list[dict[str, Any]] = []
        self._wake = asyncio.Event()

    @property
    def watches(self) -> Collection[Watch]:
        """What it watches now."""
        return self._watches.values()

    def watch(self, watch: Watch) -> bool:
        """Watch this from now on; return False if it watches as much as it may."""
        if watch.id not in self._watches and len(self._watches) >= MAX_WATCHES:
            return False
        self._watches[watch.id] = watch
        self._forget(watch.id)
        self._notice({"type": "watching", "watch": watch.id})
        return True

    def unwatch(self, watch_id: str) -> None:
        """Watch this no more."""
        self._watches.pop(watch_id, None)
        self._forget(watch_id)

    def refuse(self, watch_id: str, detail: str) -> None:
        """Say why something is not watched."""
        self._notice({"type": "refused", "watch": watch_id, "detail": detail})

    def away(self) -> None:
        """Say that changes do not come for now."""
        self._notice({"type": "away"})

    def take(self, batch: activity_pb2.TailResponse) -> None:
        """Keep a batch until it is sent."""
        if batch.interrupted:
            self._notice({"type": "interrupted"})
        for watch in self._watches.values():
            message = _message(watch, batch)
            if message is not None:
                self._keep(watch.id, message)

    def _keep(self, watch_id: str, message: dict[str, Any]) -> None:
        waiting = self._waiting.setdefault(watch_id, [])
        waiting.append(message)
        if len(waiting) > MAX_WAITING:
            lost = waiting.pop(0)
            count = lost["skipped"] + len(lost["events"]) + len(lost["others"])
            self._lost[watch_id] = self._lost.get(watch_id, 0) + count
        self._wake.set()

    def _notice(self, message: dict[str, Any]) -> None:
        if message not in self._notices:  # so there are only so many
            self._notices.append(message)
        self._wake.set()

    def _forget(self, watch_id: str) -> None:
        self._waiting.pop(watch_id, None)
        self._lost.pop(watch_id, None)

    async def next(self) -> str:
        """Wait for the next message, and return it as JSON."""
        while True:
            if self._notices:
                return _encode(self._notices.pop(0)).decode()
            for watch_id, waiting in self._waiting.items():
                if waiting:
                    message = waiting.pop(0)
                    message["skipped"] += self._lost.pop(watch_id, 0)
                    self._waiting.move_to_end(watch_id)
                    return _encode({**message, "events": [shown(event) for event in message["events"]]}).decode()
            self._wake.clear()
            await self._wake.wait()


def _message(watch: Watch, batch: activity_pb2.TailResponse) -> dict[str, Any] | None:
    """Return what a batch says to a watch; None: nothing.

    events: those of its list. others: ids of changed events that do not, or no longer, belong to it. skipped: how many
    further events changed.
    """
    events: list[ledger_pb2.EventSummary] = []
    others: list[str] = []
    for event in batch.events:
        if watch.sees(event.tenant_id):
            if watch.matches(event):
                events.append(event)
            else:
                others.append(event.id)
    skipped = sum(count for tenant_id, count in batch.skipped.items() if watch.sees(tenant_id))
    if not (events or others or skipped):
        return None
    return {"type": "events", "watch": watch.id, "events": events, "others": others, "skipped": skipped}
