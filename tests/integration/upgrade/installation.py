"""An installation whose processes may be of different versions; each is started and stopped by its name."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from checks.client import Http, Operator
from clarion.ingest.v1 import ingest_pb2
from runtime.grpc import channel, is_serving
from services.realtime import centrifugo
from stack import processes
from stack.folder import Secrets, write_private
from stack.http import get_status
from stack.hub.build import hub_binary
from stack.processes import StackPlan
from stack.supervisor import Spec, Supervisor
from tests.conftest import free_port
from tests.waiting import eventually

_START_S = 90.0
_DRAIN_S = 12.0
# For the tests' own mail servers.
_TO_LOOPBACK = {"CLARION_EGRESS_ALLOW": "127.0.0.1:*"}
_SERVERS = ("hub", "nats", "postgres")
# In the order in which a rolling upgrade replaces them.
ROLES = ("render", "senders", "realtime", "router", "ingest", "gateway")


@dataclass(frozen=True)
class Version:
    """The code of a version. root: the folder with `services`, `gateway`, `gen` and so on."""

    root: Path

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which Python imports this version's code and no other."""
        return {"PYTHONPATH": f"{self.root}{os.pathsep}{self.root / 'gen'}"}


TODAY = Version(processes.ROOT)


class Installation:
    """PostgreSQL, NATS, the realtime hub, and services. Use installation()."""

    def __init__(self, plan: StackPlan, supervisor: Supervisor, session: aiohttp.ClientSession) -> None:
        self.plan = plan
        self._supervisor = supervisor
        self._session = session

    @property
    def logs(self) -> Path:
        """The folder of the processes' logs."""
        return self.plan.data / "log"

    @property
    def nats_url(self) -> str:
        """The broker's address, with the credentials."""
        return self.plan.nats.url

    @property
    def postgres_url(self) -> str:
        """The database's address, with the credentials."""
        return self.plan.postgres.url()

    def http(self, gateways: Iterable[str] = ("gateway",)) -> Http:
        """Return a client of these gateways, which takes them in turn."""
        return Http(self._session, [f"http://{self.plan.address(name)}" for name in gateways])

    def operator(self, gateways: Iterable[str] = ("gateway",)) -> Operator:
        """Return the operator at these gateways."""
        return Operator(self.http(gateways), self.plan.secrets.admin_token)

    async def publications(self, realtime_channel: str) -> list[dict[str, object]]:
        """Return what the hub published on a realtime channel since it started."""
        url = f"http://{self.plan.address('hub')}/api/history"
        headers = {"X-API-Key": self.plan.secrets.centrifugo_api_key}
        async with self._session.post(url, headers=headers, json={"channel": realtime_channel, "limit": -1}) as answer:
            found = (await answer.json())["result"]
        assert len(found["publications"]) == found["offset"], f"the hub forgot publications of {realtime_channel}"
        return [publication["data"] for publication in found["publications"]]

    async def trigger_over_grpc(self, api_key: str, request: bytes) -> ingest_pb2.TriggerEventResponse:
        """Send a TriggerEventRequest as it was serialised, whichever version did that."""
        async with channel(self.plan.address("ingest")) as connection:
            method: Any = connection.unary_unary("/clarion.ingest.v1.IngestService/TriggerEvent")
            answer = await method(request, metadata=(("x-api-key", api_key),), timeout=30)
        return ingest_pb2.TriggerEventResponse.FromString(answer)

    async def start_servers(self) -> None:
        """Start PostgreSQL, NATS and the hub; return when they answer."""
        database, broker = self.plan.postgres, self.plan.nats
        await asyncio.to_thread(database.prepare)
        await asyncio.to_thread(broker.prepare)
        config = centrifugo.configuration(
            port=self.plan.ports["hub"],
            token_secret=self.plan.secrets.centrifugo_token_secret,
            api_key=self.plan.secrets.centrifugo_api_key,
            allowed_origins=self.plan.allowed_origins,
        )
        write_private(self.plan.hub_config, msgspec.json.encode(config))
        binary = await asyncio.to_thread(hub_binary, processes.ROOT / "build", print)
        for spec in (
            processes.postgres_spec(self.plan),
            processes.nats_spec(self.plan),
            processes.hub_spec(self.plan, binary),
        ):
            self._supervisor.start(spec)
        await asyncio.gather(database.wait(60), broker.wait(60))
        await eventually(lambda: self._answers("hub", "/health"), 60)

    async def command(self, version: Version, *arguments: str) -> str:
        """Run `clarion` of a version to its end; return what it printed."""
        done = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "cli",
            *arguments,
            cwd=version.root,
            env={**processes.inherited(), **self.plan.variables(), **version.environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output = (await done.communicate())[0].decode(errors="replace")
        assert done.returncode == 0, f"clarion {' '.join(arguments)}: {output}"
        return output

    async def start(self, version: Version, *names: str, environment: Mapping[str, str] | None = None) -> None:
        """Start services by name ("router", "router-2") with a version's code; return when all of them serve."""
        for name in names:
            self._supervisor.start(self._spec(version, name, environment or {}))
        await asyncio.gather(*[self._served(name) for name in names])

    async def stop(self, *names: str) -> None:
        """Stop processes as an operator does: they finish what they have in hand."""
        await self._supervisor.stop(names, _DRAIN_S)

    async def kill(self, *names: str) -> None:
        """End processes at once."""
        await self._supervisor.stop(names, 0)

    def _spec(self, version: Version, name: str, environment: Mapping[str, str]) -> Spec:
        (spec,) = (one for one in processes.specs(self.plan, [_role(name)]) if one.name == name)
        # All variables, because another version's role may read some that today's does not.
        variables = {**self.plan.variables(), **spec.environment, **_TO_LOOPBACK, **version.environment, **environment}
        return replace(spec, environment=variables, folder=str(version.root))

    async def _served(self, name: str) -> None:
        async def serves() -> bool:
            if _role(name) == "gateway":
                return await self._answers(name, "/healthz")
            return await is_serving(self.plan.address(name))

        try:
            await eventually(serves, _START_S, every=0.1)
        except AssertionError as error:
            raise AssertionError(f"{name} does not serve within {_START_S:.0f} s; its log is in {self.logs}") from error

    async def _answers(self, port: str, path: str) -> bool:
        return await get_status(self.plan.ports[port], path) == 200


@asynccontextmanager
async def installation(data: Path, secrets: Secrets, *, replicas: int = 1) -> AsyncIterator[Installation]:
    """Lay out an installation; everything that was started is killed in the end.

    data: an empty folder for all of it. replicas: how many processes each role may have.
    """
    (data / "log").mkdir(parents=True)
    numbers = dict.fromkeys(ROLES, replicas)
    ports = {name: free_port() for name in processes.port_names(numbers)}
    plan = StackPlan(data, secrets, ports, numbers, ("http://page.test",))
    supervisor = Supervisor(data / "log", lambda _: None, lambda: None)
    supervisor.started()
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
            yield Installation(plan, supervisor, session)
    finally:
        services = supervisor.children.keys() - set(_SERVERS)
        await supervisor.stop(services, 0)
        await supervisor.stop(_SERVERS, _DRAIN_S)
        await supervisor.close()


def _role(name: str) -> str:
    return name.partition("-")[0]
