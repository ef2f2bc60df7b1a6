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
from stack.processes import COMMON, ROLES
from tests.integration.compose import files
from tests.integration.compose.files import ROOT, MissingVariableError, Service

_ROLES = {role.name: role for role in ROLES if role.name != "mail"}  # the local stack's own
_COMMANDS: dict[str, type[msgspec.Struct]] = {
    "migrate": migrate.Settings,
    "doctor": doctor.Settings,
    "centrifugo-config": centrifugo.Settings,
}
_SECRETS = (
    "ADMIN_TOKEN CENTRIFUGO_API_KEY CENTRIFUGO_TOKEN_SECRET ENCRYPTION_KEYS NATS_PASSWORD POSTGRES_PASSWORD "
    "PRINCIPAL_SECRET PSEUDONYM_KEY SERVICE_TOKEN"
)
SECRETS = {f"CLARION_{name}" for name in _SECRETS.split()}
_NATS = ROOT / "deploy" / "nats.conf"
_DONE, _HEALTHY = {"condition": "service_completed_successfully"}, {"condition": "service_healthy"}


@pytest.fixture
def variables(env_file: Path) -> dict[str, str]:
    """A new deployment's .env."""
    return files.read_env(env_file)


@pytest.fixture
def services(variables: dict[str, str]) -> dict[str, Service]:
    """The services of a new deployment."""
    found: dict[str, Service] = files.compose(variables)["services"]
    return found


def test_each_service_of_ours_has_the_settings_that_it_reads(services: dict[str, Service]) -> None:
    """Roles as in the local stack, and commands of the CLI: each of their settings can be set, and they load."""
    assert {name for name, service in services.items() if "build" in service} == {*_ROLES, *_COMMANDS}
    for name, role in _ROLES.items():
        assert services[name]["command"] == ["python", "-m", role.module]
        assert {*COMMON, *role.variables} <= set(services[name]["environment"])
    of_roles = {name: importlib.import_module(f"{role.module}.settings").Settings for name, role in _ROLES.items()}
    for name, kind in (of_roles | _COMMANDS).items():
        wanted = {f"{settings.PREFIX}{field.name.upper()}" for field in msgspec.structs.fields(kind)}
        assert set(services[name]["environment"]) == wanted, name
        settings.load(kind, services[name]["environment"])


def test_only_secrets_have_no_default_and_nothing_starts_without_one(variables: dict[str, str]) -> None:
    """Not set, or set to nothing: Compose refuses and names it. A new .env gives all of them."""
    needed = {match[1] for match in files.VARIABLE.finditer(files.compose_text()) if match[2] == "?"}
    assert needed == {*SECRETS, "CLARION_ALLOWED_ORIGINS"}
    assert needed <= set(variables)
    for name in needed:
        for without in ({**variables, name: ""}, {key: value for key, value in variables.items() if key != name}):
            with pytest.raises(MissingVariableError, match=name):
                files.compose(without)
    assert "$" not in files.VARIABLE.sub("", files.compose_text())  # nothing that this reading does not know


def test_a_new_env_file_is_private_and_different(variables: dict[str, str], env_file: Path, tmp_path: Path) -> None:
    """Two deployments share no secret; nobody else reads the file; one that is there and complete is left alone."""
    script = ROOT / "deploy" / "new-env.sh"
    subprocess.run([script, tmp_path / "other"], check=True)
    other = files.read_env(tmp_path / "other")
    assert len({values[name] for name in SECRETS for values in (variables, other)}) == 2 * len(SECRETS)
    assert all(len(variables[name]) >= 44 for name in SECRETS)
    assert env_file.stat().st_mode & 0o077 == 0
    before = env_file.read_text()
    # One of an earlier version gets what it lacks, and keeps everything else.
    (tmp_path / "old").write_text(re.sub(r"CLARION_PSEUDONYM_KEY=.*\n", "", before).rstrip("\n"))
    subprocess.run([script, tmp_path / "old"], check=True)
    completed = files.read_env(tmp_path / "old")
    assert completed == {**variables, "CLARION_PSEUDONYM_KEY": completed["CLARION_PSEUDONYM_KEY"]}
    assert len(completed["CLARION_PSEUDONYM_KEY"]) == 64
    done = subprocess.run([script, env_file], capture_output=True, text=True, check=False)
    assert (done.returncode, env_file.read_text()) == (1, before)


def test_the_example_holds_no_secret_and_git_none_either() -> None:
    """.env.example is empty where a secret belongs, and .env is not committed."""
    example = files.read_env(ROOT / ".env.example")
    assert all(example[name] == "" for name in SECRETS)
    assert "/.env" in (ROOT / ".gitignore").read_text().splitlines()


def test_who_reaches_whom(variables: dict[str, str]) -> None:
    """One port, on loopback. The gateway does not reach the database. Only a proxy's own address is trusted."""
    compose = files.compose(variables)
    services, networks = compose["services"], compose["networks"]
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert ports == {"gateway": ["127.0.0.1:8080:8080"]}
    assert services["postgres"]["networks"] == services["nats"]["networks"] == ["data"]
    assert services["gateway"]["networks"] == ["default", "edge"]
    assert services["centrifugo"]["networks"] == ["default"]
    assert networks["data"] == {"internal": True}
    assert [name for name, service in services.items() if "edge" in service.get("networks", [])] == ["gateway"]
    # No container gets the proxy's address by itself, and the machine does not have it.
    [edge] = networks["edge"]["ipam"]["config"]
    proxy = ipaddress.ip_address(services["gateway"]["environment"]["CLARION_TRUSTED_PROXIES"])
    assert proxy in ipaddress.ip_network(edge["subnet"])
    assert proxy not in ipaddress.ip_network(edge["ip_range"])
    assert proxy != ipaddress.ip_address(edge["gateway"])
    assert f"ipv4_address: {proxy}" in (ROOT / "docs/deployment.md").read_text()


def test_every_service_is_bounded(services: dict[str, Service]) -> None:
    """Memory, logs, rights; what goes on running is checked, started again, and has time to stop."""
    check = {"test", "interval", "timeout", "retries", "start_period", "start_interval"}
    for name, service in services.items():
        assert re.fullmatch(r"\d+[mg]", service["mem_limit"]), name
        assert service["logging"]["options"] == {"max-size": "16m", "max-file": "4"}, name
        if "build" in service:
            assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), name
        if service["restart"] != "no":
            assert service["restart"] == "unless-stopped", name
            assert files.seconds(service["stop_grace_period"]) >= DRAIN_S + 5, name
            assert set(service["healthcheck"]) == check, name


def test_what_must_be_there_first(services: dict[str, Service]) -> None:
    """Nobody works on an old schema, and Centrifugo never starts without its file."""
    assert services["migrate"]["depends_on"] == {"postgres": _HEALTHY, "nats": _HEALTHY}
    assert all(services[name]["depends_on"].get("migrate") == _DONE for name in set(_ROLES) - {"gateway"})
    assert set(services["gateway"]["depends_on"]) == {*_ROLES, "centrifugo"} - {"gateway"}
    assert services["centrifugo"]["depends_on"] == {"centrifugo-config": {**_DONE, "restart": True}}
    assert services["centrifugo"]["user"] == dict(files.stages()[-1])["USER"]  # who may read the file


def test_centrifugo_does_not_start_without_its_file(services: dict[str, Service], tmp_path: Path) -> None:
    """A missing or empty file ends the command before Centrifugo, which would start with everything open."""
    file, started, program = tmp_path / "centrifugo.json", tmp_path / "started", tmp_path / "centrifugo"
    program.write_text(f'#!/bin/sh\necho "$@" >{started}\n')
    program.chmod(0o755)
    words = [word.replace("/etc/clarion/centrifugo.json", str(file)) for word in services["centrifugo"]["command"]]
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
    lines = [re.findall(r"^ *(\w+):? +(.*)$", file.read_text(), re.MULTILINE) for file in (local.config, _NATS)]
    ours, theirs = (dict(found) for found in lines)
    differ = {name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name)}
    assert differ == {"listen", "http", "authorization", "store_dir", "max_file_store"}
    assert theirs["sync_interval"] == "always"


@pytest.mark.parametrize("password", ["12345678", "12e4cafe", "7k", "0x1f", "plain"])
def test_nats_reads_any_password_as_text(password: str, variables: dict[str, str]) -> None:
    """Its file takes variables for values of its own syntax: unquoted, a hexadecimal secret may be a number."""
    environment = files.compose({**variables, "CLARION_NATS_PASSWORD": password})["services"]["nats"]["environment"]
    command = [str(nats.binary()), "-t", "--config", str(_NATS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_variable_is_explained() -> None:
    """docs/deployment.md has a row for each variable that the file reads, and for no other."""
    text = (ROOT / "docs" / "deployment.md").read_text()
    rows = set(re.findall(r"^\| `(CLARION_[A-Z_]+)` \|", text, re.MULTILINE))
    assert rows == {match[1] for match in files.VARIABLE.finditer(files.compose_text())}


def test_docker_compose_takes_the_file(env_file: Path, services: dict[str, Service]) -> None:
    """`docker compose config`, where there is one, reads the same services, commands and environments."""
    compose = ["docker", "compose", "--env-file", str(env_file), "--file", str(ROOT / "docker-compose.yml")]
    if (
        shutil.which("docker") is None
        or subprocess.run([*compose, "version"], capture_output=True, check=False).returncode
    ):
        pytest.skip("docker compose is not installed here")
    command = [*compose, "--profile", "tools", "config", "--format", "json"]
    done = subprocess.run(command, capture_output=True, check=True)
    seen: dict[str, Any] = msgspec.json.decode(done.stdout)["services"]
    for of in (seen, services):
        for name, service in of.items():
            of[name] = {key: service.get(key) for key in ("command", "environment")}
    assert seen == services
