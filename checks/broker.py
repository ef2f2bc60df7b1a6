"""Reads the state of the streams from the monitoring page of the message broker."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from stack.client import Running

_DEADLINE_S = 5.0


@dataclass(frozen=True)
class Broker:
    """The store: bytes, and those it may hold. By stream: its bytes, its messages, how long it remembers ids, s."""

    store: int
    store_limit: int
    streams: Mapping[str, int]
    messages: Mapping[str, int]
    windows: Mapping[str, float]

    @classmethod
    def of(cls, page: Mapping[str, Any]) -> "Broker":
        """Read the /jsz page."""
        accounts = page.get("account_details") or []
        details = [one for account in accounts for one in account.get("stream_detail") or []]
        return cls(
            store=int(page.get("storage", 0)),
            store_limit=int(page.get("config", {}).get("max_storage", 0)),
            streams={one["name"]: int(one["state"]["bytes"]) for one in details},
            messages={one["name"]: int(one["state"]["messages"]) for one in details},
            windows={one["name"]: one["config"].get("duplicate_window", 0) / 1e9 for one in details},
        )


async def read(session: aiohttp.ClientSession, running: Running) -> Broker:
    """Read the state from the broker of a running stack. Raises aiohttp.ClientError or TimeoutError."""
    url = f"{running.variables['CLARION_NATS_MONITOR_URL']}/jsz?streams=1&config=1&accounts=1"
    async with session.get(url, timeout=aiohttp.ClientTimeout(total=_DEADLINE_S)) as answer:
        return Broker.of(await answer.json())
