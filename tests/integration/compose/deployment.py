"""Runs docker-compose.yml without Docker: each service with its own command, environment, health check and order.

Our services run in the environment of image.py, NATS and Centrifugo as the local stack's programs, PostgreSQL as the
tests' server with an empty database. In what a service is given, addresses become ports of 127.0.0.1, and volumes and
mounted files become paths of a folder; nothing else is changed.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stack import nats, postgres
from stack.launch import command_for
from tests.conftest import free_port
from tests.integration.compose import files
from tests.integration.compose.files import ROOT, Service
from tests.integration.compose.image import Image

_DEADLINE_S = 60.0


@dataclass
class Deployment:
    """variables: of its .env. ports: by service and port, at first of the servers that run already."""

    folder: Path
    variables: dict[str, str]
    image: Image
    hub: Path
    database: str
    ports: dict[tuple[str, int], int]
    running: "dict[str, subprocess.Popen[bytes]]" = field(default_factory=dict)
    completed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Give the official images' programs their names."""
        for name, program in (("nats-server", nats.binary()), ("centrifugo", self.hub)):
            (self.folder / name).symlink_to(program)

    @property
    def services(self) -> dict[str, Service]:
        """The services with the variables of now."""
        found: dict[str, Service] = files.compose(self.variables)["services"]
        return found

    def up(self) -> None:
        """Start all services that belong to no profile, each after what it depends on."""
        for name, service in self.services.items():
            if "profiles" not in service:
                self._need(name)
        for name in self.running:
            self.wait_healthy(name)

    def run(self, name: str) -> str:
        """Run a one-off service; return what it printed. Its status must be 0."""
        done = subprocess.run(**self._process(name), capture_output=True, text=True, check=False, timeout=_DEADLINE_S)
        assert done.returncode == 0, f"{name} ended with {done.returncode}: {done.stdout}{done.stderr}"
        self.completed.append(name)
        if name == "centrifugo-config":  # the hub's address comes from a file
            (file,) = self.volume("centrifugo").iterdir()
            config = json.loads(file.read_text())
            config["http_server"] = {"address": "127.0.0.1", "port": int(self.address("centrifugo", 8000)[10:])}
            file.write_text(json.dumps(config))
        return str(done.stdout)

    def start(self, name: str) -> None:
        """Start a service that goes on running."""
        options = self._process(name)
        options["args"] = command_for(options["args"], death_signal=signal.SIGKILL)
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(**options, stdout=log, stderr=log)

    def stop(self, name: str) -> int:
        """End a service and return its status. It must end within its stop_grace_period."""
        process = self.running.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(files.seconds(self.services[name]["stop_grace_period"]))
        finally:
            process.kill()

    def down(self) -> None:
        """End whatever still runs."""
        for process in self.running.values():
            process.terminate()  # a shell passes this on to its server
        for process in self.running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()
            process.wait()

    def wait_healthy(self, name: str) -> None:
        """Wait until the service's health check says yes."""
        until = time.monotonic() + _DEADLINE_S
        while not self.is_healthy(name):
            process = self.running.get(name)
            is_alive = process is None or process.poll() is None
            assert is_alive and time.monotonic() < until, f"{name}: {self.said(name)}"  # noqa: PT018 - one message
            time.sleep(0.2)

    def is_healthy(self, name: str) -> bool:
        """Run the service's health check once."""
        _, program, *words = self.services[name]["healthcheck"]["test"]
        command = [program, *(self.local(name, word) for word in words)]
        if program == "wget":  # of the official images, not always of this machine
            try:
                with urllib.request.urlopen(command[-1], timeout=5) as answer:  # noqa: S310 - of the file itself
                    return bool(answer.status == 200)
            except (urllib.error.URLError, OSError):
                return False
        return subprocess.run(command, env=self.environment(name), capture_output=True, check=False).returncode == 0

    def environment(self, name: str) -> dict[str, str]:
        """Return all that a service's process has: its image's variables, then the file's."""
        service = self.services[name]
        if "build" in service:
            own = self.image.variables()
        else:
            path = f"{self.folder}:{postgres.binary('pg_isready').parent}:{os.environ['PATH']}"
            own = {"PATH": path, "PGPORT": str(self.ports["postgres", 5432])}
        # Origins are addresses of browsers' pages.
        given = service.get("environment", {}).items()
        return {**own, **{key: text if "ORIGINS" in key else self.local(name, text) for key, text in given}}

    def said(self, name: str) -> str:
        """Return the end of a service's log."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]

    def address(self, service: str, port: int) -> str:
        """Return where a service's port is here."""
        return f"127.0.0.1:{self.ports.setdefault((service, port), free_port())}"

    def volume(self, name: str) -> Path:
        """Return the folder that is a named volume."""
        folder = self.folder / "volumes" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def local(self, name: str, text: str) -> str:
        """Return a text of the named service as it reads here."""
        services = self.services
        for source, target, *_ in [volume.split(":") for volume in services[name].get("volumes", ())]:
            here = self.folder / Path(source).name if source.startswith("./") else self.volume(source)
            text = re.sub(rf"(?<![\w.-]){target}(?=[/\" ]|$)", str(here), text)
        text = re.sub(
            rf"(?<![\w.-])({'|'.join(services)}|0\.0\.0\.0|127\.0\.0\.1):(\d+)\b",
            lambda found: self.address(found[1] if found[1] in services else name, int(found[2])),
            text,
        )
        return text.replace(
            f":{self.ports['postgres', 5432]}/clarion", f":{self.ports['postgres', 5432]}/{self.database}"
        )

    def _need(self, name: str) -> None:
        if name in self.running or name in self.completed or name == "postgres":
            return
        service = self.services[name]
        for needed, how in service.get("depends_on", {}).items():
            self._need(needed)
            if how["condition"] == "service_healthy":
                self.wait_healthy(needed)
        for volume in service.get("volumes", ()):
            if volume.startswith("./"):
                source = ROOT / volume.split(":")[0]
                (self.folder / source.name).write_text(self.local(name, source.read_text()))
        (self.run if service["restart"] == "no" else self.start)(name)

    def _process(self, name: str) -> dict[str, Any]:
        command = [self.local(name, word) for word in self.services[name]["command"]]
        return {"args": command, "env": self.environment(name), "cwd": self.image.folder}
