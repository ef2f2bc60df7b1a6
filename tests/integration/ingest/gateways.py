"""Gateways as processes of their own, before ingest processes: the way of a trigger, and no more of the stack."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from checks.client import Http, Operator, Tenant
from tests.conftest import NatsServer, PostgresServer, free_port
from tests.integration.ingest.processes import NOBODY, TOKEN, Service
from tests.integration.realtime.conftest import end
from tests.spawning import Process, spawn
from tests.waiting import eventually

ADMIN_TOKEN = "an-admin-token-for-tests"


@dataclass
class Gateway:
    """One gateway process."""

    variables: dict[str, str]
    log: Path
    url: str
    process: Process = field(init=False)

    def spawn(self) -> None:
        """Start it."""
        self.process = spawn("gateway", self.variables, self.log)

    def kill(self) -> None:
        """End it as a crash would."""
        end(self.process)


@dataclass
class Door:
    """Gateways and ingest processes, each gateway with all of them behind it."""

    gateways: list[Gateway]
    ingests: list[Service]
    session: aiohttp.ClientSession
    nats: NatsServer
    postgres: PostgresServer

    @property
    def http(self) -> Http:
        """A client that calls the gateways in turn."""
        return Http(self.session, [gateway.url for gateway in self.gateways])

    @property
    def operator(self) -> Operator:
        """The operator's side."""
        return Operator(self.http, ADMIN_TOKEN)

    async def tenant(self, **fields: Any) -> Tenant:
        """Make a tenant; fields: of the admin API."""
        made = await self.operator.must("POST", "/tenants", json={"name": "Acorn Shop", **fields})
        return Tenant(self.http, made["id"], made["api_key"], made["name"])

    async def ready(self) -> None:
        """Wait until every gateway takes events."""
        for gateway in self.gateways:
            await eventually(lambda url=gateway.url: self._is_ready(url), 60)

    async def kill_all(self) -> None:
        """Kill -9 every process, ours, the broker and the database; start all again."""
        processes: list[Gateway | Service | NatsServer | PostgresServer] = [*self.gateways, *self.ingests]
        for process in (*processes, self.nats, self.postgres):
            process.kill()
        self.postgres.start()  # in this thread: the server ends with the thread that starts it
        await asyncio.to_thread(self.nats.start)
        await asyncio.gather(*[ingest.start() for ingest in self.ingests])
        for gateway in self.gateways:
            gateway.spawn()
        await self.ready()

    async def _is_ready(self, url: str) -> bool:
        try:
            async with self.session.get(f"{url}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False


def gateway(folder: Path, ingests: list[Service], variables: Mapping[str, str]) -> Gateway:
    """Start a gateway before these processes; the other services are not there."""
    address = f"127.0.0.1:{free_port()}"
    others = {f"CLARION_{name}_ADDRESS": NOBODY for name in ("ROUTER", "RENDER", "SENDERS", "REALTIME")}
    made = Gateway(
        {
            "CLARION_HTTP_ADDRESS": address,
            "CLARION_ADMIN_TOKEN": ADMIN_TOKEN,
            "CLARION_SERVICE_TOKEN": TOKEN,
            "CLARION_INGEST_ADDRESS": ",".join(service.address for service in ingests),
            "CLARION_CENTRIFUGO_URL": f"http://{NOBODY}",
            **others,
            **variables,
        },
        folder / f"gateway-{address.rpartition(':')[2]}.log",
        f"http://{address}",
    )
    made.spawn()
    return made
