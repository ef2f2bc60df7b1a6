"""The process table gives every process what its settings ask for."""

import importlib
import os
import shutil
from pathlib import Path

import msgspec
import pytest
import yaml

from runtime import settings
from runtime.egress import AddressNotAllowed, EgressGuard
from services.senders import egress
from services.senders.settings import Settings
from stack import processes
from stack.faults import StackError
from stack.folder import Demo, Folder
from stack.local import Options
from stack.processes import ROLES, Role, StackPlan

_SETTINGS = {"mail": "stack.mail"}
_DEMO = Demo(tenant_id="t", api_key="k", user_id="demo")


@pytest.fixture
def plan(tmp_path: Path) -> StackPlan:
    """A stack with two ingests and two gateways."""
    folder = Folder(tmp_path / "data")
    replicas = {"ingest": 2, "gateway": 2}
    return StackPlan(
        folder.path, folder.secrets(), folder.ports(processes.port_names(replicas), gateway=None), replicas, ()
    )


def _settings_of(role: Role) -> type[msgspec.Struct]:
    module = importlib.import_module(_SETTINGS.get(role.name, f"{role.module}.settings"))
    found: type[msgspec.Struct] = module.Settings
    return found


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_process_starts_with_its_environment(role: Role, plan: StackPlan) -> None:
    """Every needed variable is there, in a form that its settings accept."""
    for spec in processes.specs(plan, [role.name], _DEMO):
        settings.load(_settings_of(role), spec.environment)


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_process_gets_nothing_it_does_not_read(role: Role) -> None:
    """Secrets reach only those who need them."""
    read = {f"CLARION_{field.name.upper()}" for field in msgspec.structs.fields(_settings_of(role))}
    assert {*role.variables, *processes.COMMON} <= read


def test_replicas_have_ports_of_their_own_and_are_called_in_turn(plan: StackPlan) -> None:
    """Two ingests listen on two ports, and their callers know both."""
    first, second = processes.specs(plan, ["ingest"])
    assert (first.name, second.name) == ("ingest", "ingest-2")
    addresses = [spec.environment["CLARION_GRPC_ADDRESS"] for spec in (first, second)]
    (router,) = processes.specs(plan, ["router"])
    assert router.environment["CLARION_INGEST_ADDRESS"] == ",".join(addresses)


def test_the_operators_variables_reach_every_process(plan: StackPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the table does not set comes from the environment of `make run`."""
    monkeypatch.setenv("CLARION_LOG_LEVEL", "debug")
    monkeypatch.setenv("CLARION_NATS_URL", "nats://elsewhere")
    (router,) = processes.specs(plan, ["router"])
    assert router.environment["CLARION_LOG_LEVEL"] == "debug"
    assert router.environment["CLARION_NATS_URL"] == plan.nats.url


def test_mail_may_go_to_the_stacks_own_server_and_nowhere_else_inside(
    plan: StackPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for what the environment of `make run` adds."""

    def guard() -> EgressGuard:
        (spec,) = processes.specs(plan, ["senders"])
        return egress.read(settings.load(Settings, spec.environment)).mail

    port = plan.ports["mail"]
    monkeypatch.delenv("CLARION_EGRESS_ALLOW", raising=False)
    guard().check_host("127.0.0.1", port)
    for host, other in (("127.0.0.1", port + 1), ("127.0.0.1", 25), ("127.0.0.2", port), ("::1", port)):
        with pytest.raises(AddressNotAllowed):
            guard().check_host(host, other)
    monkeypatch.setenv("CLARION_EGRESS_ALLOW", "10.1.0.0/16:25")
    guard().check_host("127.0.0.1", port)
    guard().check_host("10.1.2.3", 25)


def test_options_survive_the_environment() -> None:
    """Options that go through variables come out the same."""
    options = Options(
        data=Path("/x"),
        port=8123,
        replicas={"ingest": 2},
        allowed_origins=("http://a:1", "http://b:2"),
        ports=range(20_000, 21_000),
    )
    assert Options.from_environment(options.environment()) == options
    assert Options.from_environment({}) == Options()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CLARION_PORT", "http"),
        ("CLARION_PORT", "0"),
        ("CLARION_PORT", "70000"),
        ("CLARION_PORTS", "20000"),
        ("CLARION_PORTS", "20000-20050"),
        ("CLARION_PORTS", "70000-80000"),
        ("CLARION_REPLICAS", "ingest"),
        ("CLARION_REPLICAS", "ingest=0"),
        ("CLARION_REPLICAS", "nats=3"),
        ("CLARION_REPLICAS", "ingest=99"),
    ],
)
def test_a_bad_option_is_named(variable: str, value: str) -> None:
    """One sentence that names the variable and what it holds."""
    with pytest.raises(StackError, match=f"{variable} (is|holds) '{value}'"):
        Options.from_environment({variable: value})


def test_the_disk_is_measured_once(plan: StackPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    """A supervisor that writes its state must not fail over what a running broker does in its folder."""
    before = plan.variables()

    def full(_: object) -> None:
        raise OSError("measured again")

    monkeypatch.setattr(shutil, "disk_usage", full)
    monkeypatch.setattr(os, "walk", full)
    assert plan.variables() == before


def test_go_servers_have_the_compose_files_memory(plan: StackPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both collect garbage harder from the same size on as in production, unless the environment says otherwise."""
    monkeypatch.delenv("GOMEMLIMIT", raising=False)
    services = yaml.safe_load((processes.ROOT / "docker-compose.yml").read_text())["services"]
    local = {"nats": processes.nats_spec(plan), "centrifugo": processes.hub_spec(plan, Path("hub"))}
    for name, spec in local.items():
        assert spec.environment["GOMEMLIMIT"] == services[name]["environment"]["GOMEMLIMIT"]
    monkeypatch.setenv("GOMEMLIMIT", "1GiB")
    assert processes.nats_spec(plan).environment["GOMEMLIMIT"] == "1GiB"
