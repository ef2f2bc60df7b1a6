"""docker-compose.yml and its surroundings as they are written: what is pinned, open, secret, needed; and no drift."""

import importlib
import ipaddress
import re
import subprocess
from pathlib import Path

import msgspec

from cli import centrifugo, doctor, migrate
from runtime import settings
from runtime.service import DRAIN_S
from stack import nats, postgres
from stack.nats import Nats
from stack.processes import COMMON, ROLES
from tests.integration.compose import image
from tests.integration.compose.compose_file import ROOT, TEXT, VARIABLE, Service, compose, read_env

_ROLES = {role.name: role for role in ROLES if role.name != "mail"}  # the local stack's own
_COMMANDS: dict[str, type[msgspec.Struct]] = {
    "migrate": migrate.Settings,
    "doctor": doctor.Settings,
    "centrifugo-config": centrifugo.Settings,
}
_EXAMPLE = read_env(ROOT / ".env.example")
_SECRETS = {name for name, value in _EXAMPLE.items() if not value}
_HARDENED = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
_DONE, _HEALTHY = {"condition": "service_completed_successfully"}, {"condition": "service_healthy"}


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


def test_every_variable_is_explained_and_exactly_secrets_are_required() -> None:
    """docs/deployment.md has a row for each variable. Origins are required too: new-env.sh gives local ones."""
    rows = re.findall(r"^\| `(CLARION_[A-Z_]+)` \|", (ROOT / "docs/deployment.md").read_text(), re.MULTILINE)
    assert set(rows) == {match[1] for match in VARIABLE.finditer(TEXT)}
    required = {match[1] for match in VARIABLE.finditer(TEXT) if match[2] is None}
    assert required == {*_SECRETS, "CLARION_ALLOWED_ORIGINS"}
    assert "$" not in VARIABLE.sub("", TEXT)  # no variable in a notation that these tests do not know


def test_a_new_env_file_is_private_and_different(env_file: Path, tmp_path: Path) -> None:
    """Two deployments share no secret. A file that is there only gets what it lacks."""
    script, other = ROOT / "deploy" / "new-env.sh", tmp_path / ".env"
    assert env_file.stat().st_mode & 0o077 == 0
    new = read_env(env_file)
    assert set(new) == set(_EXAMPLE)
    assert all(len(new[name]) >= 44 for name in _SECRETS)
    other.write_text(re.sub(r"CLARION_PSEUDONYM_KEY=.*\n", "", env_file.read_text()).rstrip("\n"))
    subprocess.run([script, other], check=True)
    assert {name for name, value in read_env(other).items() if value != new[name]} == {"CLARION_PSEUDONYM_KEY"}
    before = other.read_text()
    assert subprocess.run([script, other], capture_output=True, check=False).returncode == 1
    assert other.read_text() == before
    other.unlink()
    subprocess.run([script, other], check=True)
    assert not {new[name] for name in _SECRETS} & set(read_env(other).values())


def test_secrets_are_in_environments_only(env_file: Path, services: dict[str, Service]) -> None:
    """Command lines are visible to everyone on the machine; .env is not committed."""
    secrets = [read_env(env_file)[name] for name in _SECRETS]
    for name, service in services.items():
        visible = str({key: value for key, value in service.items() if key != "environment"})
        assert not [secret for secret in secrets if secret in visible], name
    assert "/.env" in (ROOT / ".gitignore").read_text().splitlines()


def test_who_reaches_whom(services: dict[str, Service]) -> None:
    """One port, on loopback. The gateway does not reach the database. Only a proxy's own address is trusted."""
    networks = compose({})["networks"]
    for found in (services, compose({})["services"]):  # with a new .env, and with the defaults
        ports = {name: service["ports"] for name, service in found.items() if "ports" in service}
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
        if name not in ("postgres", "nats"):
            assert service.items() >= _HARDENED.items(), name
            assert "cap_add" not in service, name
        assert "user" not in service or name == "centrifugo"  # ours have the image's
        if service["restart"] != "no":
            assert service["restart"] == "unless-stopped", name
            assert float(service["stop_grace_period"].removesuffix("s")) >= DRAIN_S + 5, name
            assert set(service["healthcheck"]) == check, name


def test_what_must_be_there_first(services: dict[str, Service]) -> None:
    """Nobody works on an old schema, and Centrifugo never starts without its file."""
    assert services["migrate"]["depends_on"] == {"postgres": _HEALTHY, "nats": _HEALTHY}
    assert all(services[name]["depends_on"].get("migrate") == _DONE for name in set(_ROLES) - {"gateway"})
    assert services["gateway"]["depends_on"] == dict.fromkeys({*_ROLES, "centrifugo"} - {"gateway"}, _HEALTHY)
    assert services["centrifugo"]["depends_on"] == {"centrifugo-config": {**_DONE, "restart": True}}
    assert f"USER {services['centrifugo']['user']}\n" in image.IMAGE  # who may read the file


def test_centrifugo_does_not_start_without_its_file(services: dict[str, Service], tmp_path: Path) -> None:
    """Nor with an empty one: the command ends with status 1. It would be 127 if it looked for Centrifugo."""
    file = tmp_path / "centrifugo.json"
    words = [word.replace("/etc/clarion/centrifugo.json", str(file)) for word in services["centrifugo"]["command"]]
    for content, status in ((None, 1), ("", 1), ("{}", 127)):
        if content is not None:
            file.write_text(content)
        done = subprocess.run(words, env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=False)
        assert done.returncode == status


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
    texts = local.config.read_text(), (ROOT / "deploy" / "nats.conf").read_text()
    ours, theirs = (set(re.findall(r"^ *(\w+):? +(.*)$", text, re.MULTILINE)) for text in texts)
    assert {name for name, _ in ours ^ theirs} == {"listen", "http", "authorization", "store_dir", "max_file_store"}
    # Quoted, because NATS takes variables for values of its own syntax: a hexadecimal secret may be a number.
    environment = compose({"CLARION_NATS_PASSWORD": "12e4"})["services"]["nats"]["environment"]
    assert environment["NATS_PASSWORD"] == '"12e4"'
