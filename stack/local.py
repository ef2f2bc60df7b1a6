"""Starting and stopping the local stack: servers, migration, services, demo tenant, gateway."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from services.realtime import centrifugo
from stack import pages, processes
from stack.broken_store import keep_storing
from stack.faults import StackError
from stack.folder import PORTS, Demo, Folder, write_private
from stack.http import get_status
from stack.hub.build import HubUnavailableError, hub_binary
from stack.launch import command_for
from stack.processes import StackPlan
from stack.state import ProcessState, StackState
from stack.supervisor import Supervisor

Report = Callable[[str], None]

_GATEWAY_DEADLINE_S = 30.0
_HUB_DEADLINE_S = 15.0
# How long NATS may take to stop before it is killed. All acknowledged messages are on disk.
_RESTART_S = 10.0
# Groups of processes that stop together, with the seconds they may drain. Dependencies stop last.
_STOP_WAVES: tuple[tuple[tuple[str, ...], float], ...] = (
    (("gateway",), 6.0),
    (("ingest", "router", "senders", "realtime"), 5.0),
    (("render", "mail"), 2.0),
    (("hub", "nats", "postgres"), 4.0),
)


@dataclass(frozen=True)
class Options:
    """The options of a stack.

    data: the one folder with everything in it. port: the gateway's; None: as last time, else 8080 or the next
    free one. replicas: how many processes of each role, 1 where not named. ports: where the others are taken from;
    None: not chosen here, so that a stack started from these options keeps what its environment says, else PORTS.
    """

    data: Path = Path(".clarion")
    port: int | None = None
    replicas: Mapping[str, int] = field(default_factory=dict)
    # Origins in addition to the gateway's own, such as http://devbox:8080.
    allowed_origins: tuple[str, ...] = ()
    ports: range | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Options":
        """Read CLARION_DATA, _PORT, _PORTS, _REPLICAS and _ALLOWED_ORIGINS. Raises StackError."""
        port = environ.get("CLARION_PORT", "")
        if port and not (port.isdigit() and 0 < int(port) < 65536):
            raise StackError(f"CLARION_PORT is {port!r}: set it to a port from 1 to 65535.")
        origins = environ.get("CLARION_ALLOWED_ORIGINS", "")
        return cls(
            data=Path(environ.get("CLARION_DATA") or ".clarion"),
            port=int(port) if port else None,
            replicas=_replicas(environ.get("CLARION_REPLICAS", "")),
            allowed_origins=tuple(origin.strip() for origin in origins.split(",") if origin.strip()),
            ports=_ports(environ.get("CLARION_PORTS", "")),
        )

    def environment(self) -> dict[str, str]:
        """Return the variables that from_environment() reads."""
        return {
            "CLARION_DATA": str(self.data),
            "CLARION_PORT": str(self.port or ""),
            "CLARION_REPLICAS": ",".join(f"{role}={number}" for role, number in self.replicas.items()),
            "CLARION_ALLOWED_ORIGINS": ",".join(self.allowed_origins),
            **({"CLARION_PORTS": f"{self.ports.start}-{self.ports.stop - 1}"} if self.ports else {}),
        }


class Stack:
    """A local stack. This process is the parent of all its processes."""

    def __init__(self, options: Options, report: Report) -> None:
        self._options = options
        self._report = report
        self._folder = Folder(options.data)
        self._folder.lock()
        self._ready = False
        self._plan = self._make_plan()
        self._supervisor = Supervisor(self._folder.log, report, self._write_state)
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> StackState:
        """Start everything and return when it is healthy. Raises StackError. Call stop() in any case."""
        await self._supervisor.unless_hopeless(self._start())
        self._supervisor.started()
        self._watching = asyncio.create_task(keep_storing(self._plan.nats, self._restart_nats, self._report))
        self._ready = True
        self._write_state()
        return self._state()

    async def owner_link(self) -> str:
        """Return the link by which the first owner of the console joins; empty: there is one. Raises StackError."""
        return "".join(await self._output_of("owner-link", ("cli", "owner-link", "--unless-owned")))

    async def stop(self) -> None:
        """Stop everything in order, the gateway first and the servers last."""
        self._ready = False
        await self._stop_watching()
        for roles, deadline in _STOP_WAVES:
            names = [name for role in roles for name in self._plan.instances(role)]
            await self._supervisor.stop(names, deadline)
        await self.kill()

    async def kill(self) -> None:
        """Kill everything."""
        await self._stop_watching()
        await self._supervisor.close()
        self._folder.state.unlink(missing_ok=True)
        self._folder.unlock()

    async def _restart_nats(self) -> None:
        await self._supervisor.restart("nats", _RESTART_S)

    async def _stop_watching(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)

    def _make_plan(self) -> StackPlan:
        secrets = self._folder.secrets()
        names = processes.port_names(self._options.replicas)
        ports = self._folder.ports(names, gateway=self._options.port, among=self._options.ports or PORTS)
        own = [f"http://{host}:{ports['gateway']}" for host in ("127.0.0.1", "localhost")]
        return StackPlan(
            self._folder.path, secrets, ports, self._options.replicas, (*own, *self._options.allowed_origins)
        )

    async def _start(self) -> None:
        demo = self._folder.demo_tenant()
        hub = asyncio.create_task(self._start_hub())
        prepared = asyncio.create_task(pages.prepare_beside(self._report))
        try:
            await asyncio.gather(self._start_postgres(), self._start_nats())
            await self._helper("migrate", ("cli", "migrate"))
            self._report("starting the services")
            roles = [*processes.SERVICES, "mail", *(["gateway"] if demo else [])]
            self._run(roles, demo)
            await hub
            await prepared
        finally:
            hub.cancel()
            prepared.cancel()
            await asyncio.gather(hub, prepared, return_exceptions=True)
        await self._helper("seed", ("stack.seed",))
        self._report("the services are healthy, and the demo tenant exists")
        if demo != (demo := self._folder.demo_tenant()):
            await self._supervisor.stop(self._plan.instances("gateway"), 2.0)
            self._run(["gateway"], demo)
        for name in self._plan.instances("gateway"):
            await _wait_http(f"The gateway ({name})", self._plan.ports[name], "/healthz", _GATEWAY_DEADLINE_S)

    def _run(self, roles: list[str], demo: Demo | None) -> None:
        for spec in processes.specs(self._plan, roles, demo):
            self._supervisor.start(spec)

    async def _start_postgres(self) -> None:
        server = self._plan.postgres
        if not server.folder.exists():
            self._report("creating the database")
        await asyncio.to_thread(server.prepare)
        await asyncio.to_thread(server.wait_for_predecessor)
        self._supervisor.start(processes.postgres_spec(self._plan))
        self._report(f"PostgreSQL is on port {server.port}")

    async def _start_nats(self) -> None:
        server = self._plan.nats
        await asyncio.to_thread(server.prepare)
        self._supervisor.start(processes.nats_spec(self._plan))
        self._report(f"NATS is on port {server.port}")

    async def _start_hub(self) -> None:
        try:
            binary = await asyncio.to_thread(hub_binary, processes.ROOT / "build", self._report)
        except HubUnavailableError as error:
            raise StackError(str(error)) from error
        secrets = self._plan.secrets
        config = centrifugo.configuration(
            port=self._plan.ports["hub"],
            token_secret=secrets.centrifugo_token_secret,
            api_key=secrets.centrifugo_api_key,
            allowed_origins=self._plan.allowed_origins,
        )
        if faults := centrifugo.unsafe_settings(config):
            raise StackError(f"The realtime hub's configuration is unsafe: {faults[0]}")
        write_private(self._plan.hub_config, msgspec.json.format(msgspec.json.encode(config)))
        self._supervisor.start(processes.hub_spec(self._plan, binary))
        await _wait_http("The realtime hub", self._plan.ports["hub"], "/health", _HUB_DEADLINE_S)
        self._report(f"the realtime hub is on port {self._plan.ports['hub']}")

    async def _helper(self, name: str, command: tuple[str, ...]) -> None:
        """Run a short-lived process of ours and report its output."""
        for line in await self._output_of(name, command):
            self._report(line)

    async def _output_of(self, name: str, command: tuple[str, ...]) -> list[str]:
        """Return the lines that a short-lived process of ours prints. Raises StackError if it fails."""
        environment = {
            **processes.inherited(),
            **self._plan.variables(),
            "CLARION_DEMO_FILE": str(self._folder.demo),
        }
        process = await asyncio.create_subprocess_exec(
            *command_for(processes.command(command[0]), death_signal=signal.SIGKILL),
            *command[1:],
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=processes.ROOT,
            env=environment,
            start_new_session=True,
        )
        try:
            output, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            words = [line for line in errors.decode(errors="replace").splitlines() if line.strip()]
            last = words[-1] if words else f"{name} ended with status {process.returncode}"
            raise StackError(f"{last.rstrip('.')}.")
        return output.decode(errors="replace").splitlines()

    def _write_state(self) -> None:
        write_private(self._folder.state, msgspec.json.format(msgspec.json.encode(self._state())))

    def _state(self) -> StackState:
        plan = self._plan
        demo = self._folder.demo_tenant()
        return StackState(
            ready=self._ready,
            pid=os.getpid(),
            data=str(plan.data),
            url=plan.url,
            urls=[f"http://{plan.address(name)}" for name in plan.instances("gateway")],
            admin_token=plan.secrets.admin_token,
            tenant_id=demo.tenant_id if demo else "",
            api_key=demo.api_key if demo else "",
            user_id=demo.user_id if demo else "",
            variables=plan.variables(demo),
            processes={
                name: ProcessState(child.pid, child.starts, str(child.log), plan.address(name))
                for name, child in self._supervisor.children.items()
            },
            team_key=demo.team_key if demo else "",
            team=demo.team if demo else "",
        )


async def _wait_http(what: str, port: int, path: str, deadline: float) -> None:
    """Wait until a GET answers 200. Raises StackError after deadline seconds."""
    until = time.monotonic() + deadline
    while (answer := await get_status(port, path)) != 200:
        if time.monotonic() > until:
            heard = f"answers {answer}" if answer else "does not answer"
            raise StackError(f"{what} {heard} at http://127.0.0.1:{port}{path} within {deadline:.0f} s.")
        await asyncio.sleep(0.05)


def _replicas(text: str) -> dict[str, int]:
    replicas: dict[str, int] = {}
    roles = {role.name for role in processes.ROLES} - {"mail"}
    for part in filter(None, (part.strip() for part in text.split(","))):
        role, _, number = part.partition("=")
        if role not in roles or not number.isdigit() or not 1 <= int(number) <= 8:
            raise StackError(f"CLARION_REPLICAS holds {part!r}: use <service>=<1 to 8>, such as ingest=2.")
        replicas[role] = int(number)
    return replicas


def _ports(text: str) -> range | None:
    if not text:
        return None
    first, _, last = text.partition("-")
    if not (first.isdigit() and last.isdigit() and 0 < int(first) <= int(last) - 99 and int(last) < 65536):
        raise StackError(f"CLARION_PORTS is {text!r}: use two ports that are at least 99 apart, such as 20000-29999.")
    return range(int(first), int(last) + 1)


def platform_fault() -> str:
    """Return why the stack cannot run on this machine, empty if it can."""
    if sys.platform == "win32":
        return "The local stack runs only on Linux and macOS."
    return ""
