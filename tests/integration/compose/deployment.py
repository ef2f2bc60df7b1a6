"""Runs docker-compose.yml without Docker: each service with its own command, environment, health check and stop.

All run with the PATH of image.py and of the local stack's servers. Addresses become ports of 127.0.0.1, volumes and
mounted files become paths of a folder; nothing else is changed.
"""

import contextlib
import json
import re
import signal
import subprocess
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from stack import nats, postgres
from stack.hub.build import hub_binary
from stack.launch import command_for
from stack.postgres import Postgres
from tests.conftest import free_port
from tests.integration.compose import image
from tests.integration.compose.compose_file import ROOT, Service, compose

_DEADLINE_S = 60.0


class Deployment:
    """folder: for its data. variables: of its .env. built: the image's environment."""

    def __init__(self, folder: Path, variables: dict[str, str], built: Path) -> None:
        self.variables = variables
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        # By service and port in docker-compose.yml, such as "gateway:8080".
        self.ports: defaultdict[str, int] = defaultdict(free_port)
        self.hub_config = folder / "centrifugo" / "centrifugo.json"
        self._folder = folder
        port = self.ports["postgres:5432"]
        self._database = Postgres(folder / "database", port, variables["CLARION_POSTGRES_PASSWORD"])
        self._database.prepare()
        programs = folder / "bin"
        programs.mkdir()
        (programs / "centrifugo").symlink_to(hub_binary(ROOT / "build", print))
        for program in (nats.binary(), postgres.binary("pg_isready")):
            (programs / program.name).symlink_to(program)
        own = image.variables(built)
        self._own = {**own, "PATH": f"{programs}:{own['PATH']}", "PGPORT": str(port)}

    def up(self) -> None:
        """Start all services that belong to no profile, in the file's order, each when the one before is healthy."""
        for name, service in compose(self.variables)["services"].items():
            if service["restart"] == "no" and "profiles" not in service:
                self.run(name)
            elif "profiles" not in service:
                self.start(name)
                self.wait_healthy(name)

    def run(self, name: str) -> str:
        """Run a one-off service; return what it printed. Its status must be 0."""
        done = subprocess.run(**self._process(name), capture_output=True, text=True, check=False, timeout=_DEADLINE_S)
        assert done.returncode == 0, f"{name} ended with {done.returncode}: {done.stdout}{done.stderr}"
        if name == "centrifugo-config":  # the hub's address comes from this file
            config = json.loads(self.hub_config.read_text())
            config["http_server"] = {"address": "127.0.0.1", "port": self.ports["centrifugo:8000"]}
            self.hub_config.write_text(json.dumps(config))
        return str(done.stdout)

    def execute(self, name: str, *words: str) -> str:
        """Run a command beside a service, as `docker compose exec`; return what it printed. Its status must be 0."""
        options = self._process(name) | {"args": list(words)}
        done = subprocess.run(**options, capture_output=True, text=True, check=False, timeout=_DEADLINE_S)
        assert done.returncode == 0, f"{words} ended with {done.returncode}: {done.stdout}{done.stderr}"
        return str(done.stdout)

    def start(self, name: str) -> None:
        """Start a service that goes on running."""
        options = self._process(name)
        command, user = options["args"], ""
        if name == "postgres":
            command, user = self._database.command(), postgres.system_user()
        options["args"] = command_for(command, death_signal=signal.SIGKILL, user=user)
        self.running[name] = subprocess.Popen(**options)

    def stop(self, name: str) -> int:
        """End a service and return its status. It must end within its stop_grace_period."""
        self.running[name].terminate()
        return self.running[name].wait(float(self.service(name)["stop_grace_period"].removesuffix("s")))

    def down(self) -> None:
        """End whatever still runs, the last started first."""
        for process in reversed(self.running.values()):
            process.terminate()  # a shell passes this on to its server, which a kill would leave
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()
            process.wait()

    def wait_healthy(self, name: str) -> None:
        """Wait until the service's health check says yes."""
        until = time.monotonic() + _DEADLINE_S
        while not self.is_healthy(name):
            assert self.running[name].poll() is None, f"{name} has ended"
            assert time.monotonic() < until, f"{name} is not healthy"
            time.sleep(0.2)

    def is_healthy(self, name: str) -> bool:
        """Run the service's health check once."""
        _, *command = self.service(name)["healthcheck"]["test"]
        return (
            subprocess.run(**self._process(name) | {"args": command}, capture_output=True, check=False).returncode == 0
        )

    def service(self, name: str) -> Service:
        """Return a service as it reads here, with its mounted files in their places."""
        service = compose(self.variables)["services"][name]
        volumes = [volume.split(":")[:2] for volume in service.pop("volumes", ())]

        def local(text: str) -> str:
            for source, target in volumes:
                text = text.replace(target, str(self._folder / source))
            return re.sub(
                r"(?<![\w.-])([a-z]+|0\.0\.0\.0|127\.0\.0\.1):(\d+)\b",
                lambda found: f"127.0.0.1:{self.ports[f'{found[1] if found[1].isalpha() else name}:{found[2]}']}",
                text,
            )

        for here, source in [(self._folder / source, ROOT / source) for source, _ in volumes]:
            if not source.is_file():
                here.mkdir(exist_ok=True)
            elif not here.exists():
                here.parent.mkdir(exist_ok=True)
                here.write_text(local(source.read_text()))
        found: Service = json.loads(local(json.dumps(service)))
        return found

    def _process(self, name: str) -> dict[str, Any]:
        service = self.service(name)
        environment = {**self._own, **service.get("environment", {})}
        return {"args": service.get("command"), "env": environment, "cwd": self._folder}
