"""docker-compose.yml and its surroundings as they are written: what is pinned, open, secret, needed; and no drift."""

import importlib
import ipaddress
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cli import centrifugo, doctor, migrate
from runtime import settings
from runtime.service import DRAIN_S
from stack import nats, postgres
from stack.nats import Nats
from stack.processes import COMMON, ROLES, Role
from tests.integration.compose import compose_file
from tests.integration.compose.compose_file import FILE, ROOT, MissingVariableError, Service

_ROLES = [role for role in ROLES if role.name != "mail"]  # the local stack's own
_SECRETS = {
    "CLARION_ADMIN_TOKEN",
    "CLARION_CENTRIFUGO_API_KEY",
    "CLARION_CENTRIFUGO_TOKEN_SECRET",
    "CLARION_ENCRYPTION_KEYS",
    "CLARION_NATS_PASSWORD",
    "CLARION_POSTGRES_PASSWORD",
    "CLARION_PRINCIPAL_SECRET",
    "CLARION_PSEUDONYM_KEY",
    "CLARION_SERVICE_TOKEN",
}
_COMMANDS: dict[str, type[msgspec.Struct]] = {
    "migrate": migrate.Settings,
    "doctor": doctor.Settings,
    "centrifugo-config": centrifugo.Settings,
}
_MOUNTED_CENTRIFUGO = "/etc/clarion/centrifugo.json"


@pytest.fixture
def variables(env_file: Path) -> dict[str, str]:
    """A new deployment's .env."""
    return compose_file.read_env(env_file)


@pytest.fixture
def services(variables: dict[str, str]) -> dict[str, Service]:
    """The services of a new deployment."""
    return compose_file.services(variables)


def _names(kind: type[msgspec.Struct]) -> set[str]:
    return {f"{settings.PREFIX}{field.name.upper()}" for field in msgspec.structs.fields(kind)}


def _settings_of(role: Role) -> type[msgspec.Struct]:
    found: type[msgspec.Struct] = importlib.import_module(f"{role.module}.settings").Settings
    return found


@pytest.mark.parametrize("role", _ROLES, ids=lambda role: role.name)
def test_a_role_is_started_as_in_the_local_stack(role: Role, services: dict[str, Service]) -> None:
    """The same module with at least the same variables: stack/processes.py is the one list."""
    service = services[role.name]
    assert service["command"] == ["python", "-m", role.module]
    assert {*COMMON, *role.variables} <= set(service["environment"])


def test_no_role_is_missing_and_none_is_unknown(services: dict[str, Service]) -> None:
    """What is built from our image is a role of the list or a command of the CLI."""
    ours = {name for name, service in services.items() if "build" in service}
    assert ours == {role.name for role in _ROLES} | set(_COMMANDS)


@pytest.mark.parametrize("role", _ROLES, ids=lambda role: role.name)
def test_every_setting_of_a_role_can_be_set(role: Role, services: dict[str, Service]) -> None:
    """The environment holds each of its settings, nothing else, and loads."""
    environment = services[role.name]["environment"]
    assert set(environment) == _names(_settings_of(role))
    settings.load(_settings_of(role), environment)


@pytest.mark.parametrize("name", _COMMANDS)
def test_a_commands_environment_is_what_it_reads(name: str, services: dict[str, Service]) -> None:
    """The one-off services, too."""
    environment = services[name]["environment"]
    assert set(environment) == _names(_COMMANDS[name])
    settings.load(_COMMANDS[name], environment)


@pytest.mark.parametrize("name", sorted({*_SECRETS, "CLARION_ALLOWED_ORIGINS"}))
def test_nothing_starts_without_a_secret(name: str, variables: dict[str, str]) -> None:
    """Not set, or set to nothing: Compose refuses and names it."""
    for without in ({**variables, name: ""}, {key: value for key, value in variables.items() if key != name}):
        with pytest.raises(MissingVariableError, match=name):
            compose_file.services(without)


def test_the_secrets_are_all_that_has_no_default(variables: dict[str, str]) -> None:
    """Whatever else is needed, a new .env gives it."""
    assert compose_file.variables_needed() == {*_SECRETS, "CLARION_ALLOWED_ORIGINS"}
    assert compose_file.variables_needed() <= set(variables)


def test_a_new_env_file_is_private_and_different(variables: dict[str, str], env_file: Path, tmp_path: Path) -> None:
    """Two deployments share no secret; nobody else reads the file; one that is there and complete is left alone."""
    script = ROOT / "deploy" / "new-env.sh"
    subprocess.run([script, tmp_path / "other"], check=True)
    other = compose_file.read_env(tmp_path / "other")
    assert len({*(variables[name] for name in _SECRETS), *(other[name] for name in _SECRETS)}) == 2 * len(_SECRETS)
    assert all(len(variables[name]) >= 44 for name in _SECRETS)
    assert env_file.stat().st_mode & 0o077 == 0
    before = env_file.read_text()
    # One of an earlier version gets what it lacks, and keeps everything else.
    (tmp_path / "old").write_text(re.sub(r"CLARION_PSEUDONYM_KEY=.*\n", "", before).rstrip("\n"))
    subprocess.run([script, tmp_path / "old"], check=True)
    completed = compose_file.read_env(tmp_path / "old")
    assert completed == {**variables, "CLARION_PSEUDONYM_KEY": completed["CLARION_PSEUDONYM_KEY"]}
    assert len(completed["CLARION_PSEUDONYM_KEY"]) == 64
    done = subprocess.run([script, env_file], capture_output=True, text=True, check=False)
    assert (done.returncode, env_file.read_text()) == (1, before)


def test_the_example_holds_no_secret_and_git_none_either() -> None:
    """.env.example is empty where a secret belongs, and .env is not committed."""
    example = compose_file.read_env(ROOT / ".env.example")
    assert all(example[name] == "" for name in _SECRETS)
    assert "/.env" in (ROOT / ".gitignore").read_text().splitlines()


def test_only_the_gateway_is_published_and_only_here(services: dict[str, Service]) -> None:
    """One port, on loopback unless CLARION_BIND says otherwise."""
    assert {name: service["ports"] for name, service in services.items() if "ports" in service} == {
        "gateway": ["127.0.0.1:8080:8080"]
    }


def test_the_gateway_does_not_reach_the_database(services: dict[str, Service]) -> None:
    """PostgreSQL and NATS are on a network of their own, which leads nowhere."""
    assert services["postgres"]["networks"] == services["nats"]["networks"] == ["data"]
    assert services["gateway"]["networks"] == ["default", "edge"]
    assert services["centrifugo"]["networks"] == ["default"]
    assert compose_file.parsed()["networks"]["data"] == {"internal": True}


def test_only_a_proxy_s_own_address_is_trusted(services: dict[str, Service]) -> None:
    """No container gets it by itself, and the machine does not have it: no other caller's X-Forwarded-For counts."""
    [network] = compose_file.parsed()["networks"]["edge"]["ipam"]["config"]
    proxy = ipaddress.ip_address(services["gateway"]["environment"]["CLARION_TRUSTED_PROXIES"])
    assert proxy in ipaddress.ip_network(network["subnet"])
    assert proxy not in ipaddress.ip_network(network["ip_range"])
    assert proxy != ipaddress.ip_address(network["gateway"])
    assert f"ipv4_address: {proxy}" in (ROOT / "docs/deployment.md").read_text()
    assert [name for name, service in services.items() if "edge" in service.get("networks", [])] == ["gateway"]


@pytest.mark.parametrize("name", list(compose_file.parsed()["services"]))
def test_a_service_is_bounded(name: str, services: dict[str, Service]) -> None:
    """Memory, logs, rights; what goes on running is checked, started again, and has time to stop."""
    service = services[name]
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert service["logging"]["options"] == {"max-size": "16m", "max-file": "4"}
    if "build" in service:
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
    if service["restart"] == "no":
        return
    assert service["restart"] == "unless-stopped"
    assert compose_file.seconds(service["stop_grace_period"]) >= DRAIN_S + 5
    assert set(service["healthcheck"]) == {"test", "interval", "timeout", "retries", "start_period", "start_interval"}


def test_what_must_be_there_first(services: dict[str, Service]) -> None:
    """Nobody works on an old schema, and Centrifugo never starts without its file."""
    done, healthy = {"condition": "service_completed_successfully"}, {"condition": "service_healthy"}
    assert services["migrate"]["depends_on"] == {"postgres": healthy, "nats": healthy}
    for role in _ROLES:
        needs = services[role.name]["depends_on"]
        assert needs.get("migrate") == done or role.name == "gateway"
    assert set(services["gateway"]["depends_on"]) == {*(r.name for r in _ROLES), "centrifugo"} - {"gateway"}
    assert services["centrifugo"]["depends_on"] == {"centrifugo-config": {**done, "restart": True}}


def test_centrifugo_does_not_start_without_its_file(services: dict[str, Service], tmp_path: Path) -> None:
    """A missing or empty file ends the command before Centrifugo, which would start with everything open."""
    file, started = tmp_path / "centrifugo.json", tmp_path / "started"
    program = tmp_path / "centrifugo"
    program.write_text(f'#!/bin/sh\necho "$@" >{started}\n')
    program.chmod(0o755)
    words = [word.replace(_MOUNTED_CENTRIFUGO, str(file)) for word in services["centrifugo"]["command"]]
    for content, status in ((None, 1), ("", 1), ("{}", 0)):
        if content is not None:
            file.write_text(content)
        done = subprocess.run(words, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=False)
        assert (done.returncode, started.exists()) == (status, status == 0)
    assert started.read_text() == f"--config {file}\n"


def test_the_servers_are_those_that_the_tests_run(services: dict[str, Service]) -> None:
    """Pinned to a version: PostgreSQL of the same major, NATS the very same, Centrifugo 6 as the contract has it."""
    assert services["postgres"]["image"].startswith(f"postgres:{postgres.server_major()}.")
    said = subprocess.run([nats.binary(), "--version"], capture_output=True, text=True, check=True).stdout
    assert services["nats"]["image"] == f"nats:{said.split('v')[-1].strip()}-alpine"
    assert re.fullmatch(r"centrifugo/centrifugo:v6\.\d+\.\d+", services["centrifugo"]["image"])
    assert services["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]  # from 18 on; before: …/data


def test_nats_is_configured_as_locally(tmp_path: Path) -> None:
    """deploy/nats.conf and the local stack's differ in addresses, password, sizes of the disk and folder only."""
    local = Nats(tmp_path, 1, 2, "secret")
    local.prepare()
    ours, theirs = _options(local.config), _options(ROOT / "deploy" / "nats.conf")
    differ = {name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name)}
    assert differ == {"listen", "http", "authorization", "store_dir", "max_file_store"}
    assert theirs["sync_interval"] == "always"


@pytest.mark.parametrize("password", ["12345678", "12e4cafe", "7k", "0x1f", "plain"])
def test_nats_reads_any_password_as_text(password: str, variables: dict[str, str]) -> None:
    """Its file takes variables for values of its own syntax: unquoted, a hexadecimal secret may be a number."""
    services = compose_file.services({**variables, "CLARION_NATS_PASSWORD": password})
    done = subprocess.run(
        [nats.binary(), "-t", "--config", ROOT / "deploy" / "nats.conf"],
        env=services["nats"]["environment"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_variable_is_explained() -> None:
    """docs/deployment.md has a row for each variable that the file reads, and for no other."""
    text = (ROOT / "docs" / "deployment.md").read_text()
    rows = set(re.findall(r"^\| `(CLARION_[A-Z_]+)` \|", text, re.MULTILINE))
    assert rows == compose_file.variables_read()


def test_docker_compose_takes_the_file(env_file: Path, services: dict[str, Service]) -> None:
    """`docker compose config`, where there is one, reads the same services, commands and environments."""
    if shutil.which("docker") is None or _docker("version").returncode:
        pytest.skip("docker compose is not installed here")
    options = ("--env-file", str(env_file), "--file", str(FILE), "--profile", "tools")
    done = _docker(*options, "config", "--format", "json")
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = msgspec.json.decode(done.stdout)["services"]
    assert set(seen) == set(services)
    for name, service in services.items():
        assert seen[name].get("command") == service.get("command")
        assert seen[name].get("environment") == service.get("environment")


def _docker(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["docker", "compose", *arguments], capture_output=True, text=True, check=False)


def _options(file: Path) -> dict[str, str]:
    lines = [line.strip() for line in file.read_text().splitlines()]
    words = [line.split(maxsplit=1) for line in lines if line and not line.startswith(("#", "}"))]
    return {name.rstrip(":"): value for name, value in words}
