"""The processes of Clarion, with their commands and environments.

The table is the same for the local stack and for production (docker-compose.yml); only the values of
the variables differ. A test compares the two.
"""

import functools
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stack import nats, postgres
from stack.folder import Demo, Secrets
from stack.nats import Nats
from stack.postgres import Postgres
from stack.supervisor import Spec

ROOT = Path(__file__).parents[1]
DEMO_USER = "demo"


@dataclass(frozen=True)
class Role:
    """A kind of process: `python -m <module>`, with the variables that only it reads."""

    name: str
    module: str
    variables: tuple[str, ...]
    serves_grpc: bool = True
    # Nobody waits for these, so the processes that accept events get the processor first.
    yields: bool = False


_NICENESS = 5
# The soft memory limits of the servers in Go, as in docker-compose.yml.
NATS_GO_MEMORY, HUB_GO_MEMORY = "900MiB", "230MiB"

# The variables of every process.
COMMON = ("CLARION_SERVICE_TOKEN", "CLARION_METRICS_ADDRESS")

ROLES = (
    Role(
        "ingest",
        "services.ingest",
        (
            "CLARION_POSTGRES_URL",
            "CLARION_NATS_URL",
            "CLARION_ROUTER_ADDRESS",
            "CLARION_ENCRYPTION_KEYS",
            "CLARION_PSEUDONYM_KEY",
        ),
    ),
    Role(
        "router",
        "services.router",
        (
            "CLARION_POSTGRES_URL",
            "CLARION_NATS_URL",
            "CLARION_INGEST_ADDRESS",
            "CLARION_RENDER_ADDRESS",
            "CLARION_SENDERS_ADDRESS",
            "CLARION_ENCRYPTION_KEYS",
            "CLARION_PSEUDONYM_KEY",
        ),
        yields=True,
    ),
    Role("render", "services.render", ("CLARION_POSTGRES_URL", "CLARION_NATS_URL"), yields=True),
    Role(
        "senders",
        "services.senders",
        (
            "CLARION_POSTGRES_URL",
            "CLARION_NATS_URL",
            "CLARION_INGEST_ADDRESS",
            "CLARION_RENDER_ADDRESS",
            "CLARION_ROUTER_ADDRESS",
            "CLARION_ENCRYPTION_KEYS",
            "CLARION_PSEUDONYM_KEY",
            "CLARION_PUBLIC_URL",
            "CLARION_EGRESS_ALLOW",
        ),
        yields=True,
    ),
    Role(
        "realtime",
        "services.realtime",
        (
            "CLARION_POSTGRES_URL",
            "CLARION_NATS_URL",
            "CLARION_INGEST_ADDRESS",
            "CLARION_RENDER_ADDRESS",
            "CLARION_CENTRIFUGO_URL",
            "CLARION_CENTRIFUGO_API_KEY",
            "CLARION_CENTRIFUGO_TOKEN_SECRET",
            "CLARION_PRINCIPAL_SECRET",
            "CLARION_PSEUDONYM_KEY",
        ),
    ),
    Role(
        "gateway",
        "gateway",
        (
            "CLARION_HTTP_ADDRESS",
            "CLARION_PUBLIC_URL",
            "CLARION_ADMIN_TOKEN",
            "CLARION_INGEST_ADDRESS",
            "CLARION_ROUTER_ADDRESS",
            "CLARION_RENDER_ADDRESS",
            "CLARION_SENDERS_ADDRESS",
            "CLARION_REALTIME_ADDRESS",
            "CLARION_CENTRIFUGO_URL",
            "CLARION_DEMO_TENANT_ID",
            "CLARION_DEMO_USER_ID",
        ),
        serves_grpc=False,
    ),
    # Only in the local stack: in production, mail goes to a real server.
    Role("mail", "stack.mail", ("CLARION_SMTP_ADDRESS", "CLARION_SENDERS_ADDRESS"), serves_grpc=False),
)
SERVICES = tuple(role.name for role in ROLES if role.serves_grpc)


@dataclass(frozen=True)
class StackPlan:
    """The layout of a local stack. ports: by name; replicas: the number of processes per role."""

    data: Path
    secrets: Secrets
    ports: Mapping[str, int]
    replicas: Mapping[str, int]
    allowed_origins: tuple[str, ...]

    @property
    def postgres(self) -> Postgres:
        """The database server."""
        return Postgres(self.data / "postgres", self.ports["postgres"], self.secrets.postgres_password)

    @functools.cached_property
    def nats(self) -> Nats:
        """The message broker. Cached, because it measures the disk once, before the server runs."""
        return Nats(self.data / "nats", self.ports["nats"], self.ports["nats-monitor"], self.secrets.nats_password)

    @property
    def hub_config(self) -> Path:
        """The realtime hub's configuration."""
        return self.data / "centrifugo.json"

    def instances(self, role: str) -> list[str]:
        """Return the names of a role's processes: "ingest", "ingest-2", ..."""
        return instances(role, self.replicas)

    def address(self, port: str) -> str:
        """Return the address of a named port."""
        return f"127.0.0.1:{self.ports[port]}"

    def addresses(self, role: str) -> str:
        """Return the gRPC addresses of a role's processes, comma-separated."""
        return ",".join(self.address(name) for name in self.instances(role))

    @property
    def url(self) -> str:
        """The address of the gateway for users."""
        return f"http://127.0.0.1:{self.ports['gateway']}"

    def variables(self, demo: Demo | None = None) -> dict[str, str]:
        """Return all CLARION_ variables that are equal for all instances."""
        services = {f"CLARION_{role.upper()}_ADDRESS": self.addresses(role) for role in SERVICES}
        return {
            **services,
            "CLARION_SERVICE_TOKEN": self.secrets.service_token,
            "CLARION_ADMIN_TOKEN": self.secrets.admin_token,
            "CLARION_POSTGRES_URL": self.postgres.url(),
            "CLARION_NATS_URL": self.nats.url,
            "CLARION_NATS_MONITOR_URL": self.nats.monitor_url,
            "CLARION_STREAM_MAX_BYTES": str(self.nats.stream_max_bytes()),
            "CLARION_ENCRYPTION_KEYS": self.secrets.encryption_key,
            "CLARION_CENTRIFUGO_URL": f"http://{self.address('hub')}",
            "CLARION_CENTRIFUGO_API_KEY": self.secrets.centrifugo_api_key,
            "CLARION_CENTRIFUGO_TOKEN_SECRET": self.secrets.centrifugo_token_secret,
            "CLARION_CENTRIFUGO_CONFIG": str(self.hub_config),
            "CLARION_PRINCIPAL_SECRET": self.secrets.principal_secret,
            "CLARION_PSEUDONYM_KEY": self.secrets.pseudonym_key,
            "CLARION_SMTP_ADDRESS": self.address("mail"),
            # Mail may go to the stack's own server on loopback, and to what the environment allows.
            "CLARION_EGRESS_ALLOW": ",".join(
                filter(None, (self.address("mail"), os.environ.get("CLARION_EGRESS_ALLOW")))
            ),
            "CLARION_GATEWAY_URL": self.url,
            # Unsubscribe and portal links work on this machine, unless the environment sets another address.
            "CLARION_PUBLIC_URL": os.environ.get("CLARION_PUBLIC_URL") or self.url,
            "CLARION_DEMO_TENANT_ID": demo.tenant_id if demo else "",
            "CLARION_DEMO_USER_ID": demo.user_id if demo else DEMO_USER,
        }


def instances(role: str, replicas: Mapping[str, int]) -> list[str]:
    """Return the names of a role's processes: "ingest", "ingest-2", ..."""
    return [role, *(f"{role}-{number}" for number in range(2, replicas.get(role, 1) + 1))]


def port_names(replicas: Mapping[str, int]) -> list[str]:
    """Return the names of all ports that a stack needs."""
    names = [name for role in ROLES for name in instances(role.name, replicas)]
    return ["postgres", "nats", "nats-monitor", "hub", *names, *(f"{name}-metrics" for name in names)]


def specs(plan: StackPlan, roles: Sequence[str], demo: Demo | None = None) -> list[Spec]:
    """Return the processes of these roles."""
    return [
        _spec(plan, role, instance, demo)
        for role in ROLES
        if role.name in roles
        for instance in plan.instances(role.name)
    ]


def postgres_spec(plan: StackPlan) -> Spec:
    """Return the database server's process."""
    return Spec(
        "postgres",
        tuple(plan.postgres.command()),
        postgres.environment(),
        user=postgres.system_user(),
        stop_signal=postgres.STOP_SIGNAL,
        death_signal=postgres.STOP_SIGNAL,
    )


def nats_spec(plan: StackPlan) -> Spec:
    """Return the message broker's process."""
    environment = {"GOMEMLIMIT": NATS_GO_MEMORY, **inherited()}
    return Spec("nats", tuple(plan.nats.command()), environment, stop_signal=nats.STOP_SIGNAL)


def hub_spec(plan: StackPlan, binary: Path) -> Spec:
    """Return the realtime hub's process."""
    environment = {"GOMEMLIMIT": HUB_GO_MEMORY, **inherited()}
    return Spec("hub", (str(binary), "-c", str(plan.hub_config)), environment, death_signal=signal.SIGTERM)


def inherited() -> dict[str, str]:
    """Return the variables that every process gets from the environment of `make run`.

    That is all of it, CLARION_LOG_LEVEL or CLARION_RETRY_DELAYS_S among it; the table's own values win.
    """
    return {
        **os.environ,
        # An arena per thread would cost megabytes that are never used.
        "MALLOC_ARENA_MAX": "2",
        "PYTHONUNBUFFERED": "1",
    }


def command(module: str) -> tuple[str, ...]:
    """Return the command that runs a module of ours."""
    return (sys.executable, "-m", module)


def _spec(plan: StackPlan, role: Role, instance: str, demo: Demo | None) -> Spec:
    known = plan.variables(demo)
    own = {"CLARION_METRICS_ADDRESS": plan.address(f"{instance}-metrics")}
    if role.serves_grpc:
        own["CLARION_GRPC_ADDRESS"] = plan.address(instance)
    if role.name == "gateway":
        own["CLARION_HTTP_ADDRESS"] = plan.address(instance)
    values = {name: known[name] for name in (*COMMON, *role.variables) if name in known}
    environment = {**inherited(), **values, **own}
    niceness = _NICENESS if role.yields else 0
    return Spec(instance, command(role.module), environment, folder=str(ROOT), niceness=niceness)
