"""Runs docker-compose.yml without Docker: each service with exactly its command and environment, in its order.

What stands for what:

- a service's image: for ours the environment of image.py, with the Dockerfile's variables and nothing of this process;
  for NATS the local nats-server, for Centrifugo the local hub (or a Centrifugo that is found) under that name, for
  PostgreSQL the tests' server with an empty database;
- `<service>:<port>`, and `0.0.0.0:<port>` or `127.0.0.1:<port>` inside a service: 127.0.0.1 and a free port;
- a volume and a mounted file: a folder and a copy of this run's own, whose path replaces the one in the container;
- `depends_on`: conditions are waited for as Compose does, by exit status and by the health check's own command.
"""

import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from stack import nats, postgres
from stack.launch import command_for
from tests.integration.compose import compose_file
from tests.integration.compose.compose_file import Service
from tests.integration.compose.image import Image
from tests.integration.compose.places import Places

_START_DEADLINE_S = 60.0
# Runs already, as the tests' server.
_GIVEN = "postgres"
# Pages of browsers, not addresses of ours.
_AS_WRITTEN = "CLARION_ALLOWED_ORIGINS"


@dataclass
class Engine:
    """A deployment. variables: of its .env. hub: what answers to the name centrifugo."""

    variables: dict[str, str]
    image: Image
    places: Places
    hub: Path
    # Called when a one-off service has ended, with its name.
    on_completed: Callable[[str], None]
    running: "dict[str, subprocess.Popen[bytes]]" = field(default_factory=dict)
    # In the order in which they were started.
    completed: list[str] = field(default_factory=list)

    @property
    def services(self) -> dict[str, Service]:
        """The file as it reads with the variables of now."""
        return compose_file.services(self.variables)

    def up(self) -> None:
        """Start everything that belongs to no profile, and wait until all that has a health check is healthy."""
        for name, service in self.services.items():
            if "profiles" not in service:
                self._need(name)
        for name in self.running:
            self.wait_healthy(name)

    def run(self, name: str) -> str:
        """Run a one-off service to its end; return what it printed. Its status must be 0."""
        done = subprocess.run(
            self.command(name),
            env=self.environment(name),
            cwd=self.image.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=_START_DEADLINE_S,
        )
        assert done.returncode == 0, f"{name} ended with {done.returncode}: {done.stdout}{done.stderr}"
        self.completed.append(name)
        self.on_completed(name)
        return done.stdout

    def start(self, name: str) -> None:
        """Start a service that goes on running; what it depends on must be there."""
        self.places.mount_files(name, self.services)
        with self._log(name).open("ab") as log:
            self.running[name] = subprocess.Popen(
                command_for(self.command(name), death_signal=signal.SIGKILL),
                env=self.environment(name),
                cwd=self.image.folder,
                stdout=log,
                stderr=log,
            )

    def stop(self, name: str) -> int:
        """End a service as Compose does; return its exit status. It must end within its stop_grace_period."""
        process = self.running.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(compose_file.seconds(self.services[name]["stop_grace_period"]))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{name} did not stop in time: {self.said(name)}") from None

    def down(self) -> None:
        """End whatever still runs."""
        for process in self.running.values():
            process.kill()
            process.wait()
        self.running.clear()

    def wait_healthy(self, name: str) -> None:
        """Wait until the service's health check, run as it is written, says yes."""
        until = time.monotonic() + _START_DEADLINE_S
        while not self.is_healthy(name):
            process = self.running.get(name)
            assert process is None or process.poll() is None, f"{name} ended: {self.said(name)}"
            assert time.monotonic() < until, (
                f"{name} is not healthy: {[self.said(one)[-1000:] for one in self.running]}"
            )
            time.sleep(0.2)

    def is_healthy(self, name: str) -> bool:
        """Run the service's health check once."""
        check = self.services[name]["healthcheck"]
        kind, *words = check["test"]
        assert kind == "CMD"
        command = [self._local(word, name) for word in words]
        if command[0] == "wget" and shutil.which("wget") is None:  # of the official images, not always of this machine
            return _answers(command[-1])
        limit = compose_file.seconds(check["timeout"])
        try:
            done = subprocess.run(command, env=self.environment(name), capture_output=True, check=False, timeout=limit)
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    def command(self, name: str) -> list[str]:
        """Return a service's command as it is here."""
        return [self._local(word, name) for word in self.services[name]["command"]]

    def environment(self, name: str) -> dict[str, str]:
        """Return all of a service's environment as it is here: its image's, then the file's."""
        written: dict[str, str] = self.services[name].get("environment", {})
        local = {key: value if key == _AS_WRITTEN else self._local(value, name) for key, value in written.items()}
        return {**self._of_image(name), **local}

    def said(self, name: str) -> str:
        """Return the end of a service's log."""
        log = self._log(name)
        return log.read_text(errors="replace")[-3000:] if log.exists() else ""

    def _need(self, name: str) -> None:
        """Start a service after what it depends on, unless it is there."""
        if name in self.running or name in self.completed or name == _GIVEN:
            return
        service = self.services[name]
        for needed, how in service.get("depends_on", {}).items():
            self._need(needed)
            if how["condition"] == "service_healthy":
                self.wait_healthy(needed)
            else:
                assert how["condition"] == "service_completed_successfully"
                assert needed in self.completed, f"{name} waits for {needed}, which goes on running"
        if service["restart"] == "no":
            self.run(name)
        else:
            self.start(name)

    def _local(self, text: str, name: str) -> str:
        return self.places.local(text, name, self.services)

    def _log(self, name: str) -> Path:
        return self.places.folder / f"{name}.log"

    def _of_image(self, name: str) -> dict[str, str]:
        if "build" in self.services[name]:
            return self.image.variables()
        folder = self.places.folder / "bin"
        folder.mkdir(exist_ok=True)
        for program, path in (("nats-server", nats.binary()), ("centrifugo", self.hub)):
            if not (folder / program).exists():
                (folder / program).symlink_to(path)
        search = f"{folder}:{postgres.binary('pg_isready').parent}:{os.environ['PATH']}"
        return {"PATH": search, "PGPORT": str(self.places.port("postgres", 5432))}


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - an address of the file's own
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
