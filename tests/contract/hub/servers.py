"""The engines under contract, and servers of one that a test may break."""

from __future__ import annotations

import copy
import http.client
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stack.launch import command_for
from tests.conftest import free_port

HERE: Final = Path(__file__).parent
SECRET: Final = "local-hub-secret-local-hub-secret"
API_KEY: Final = "local-api-key"

Config = dict[str, Any]


@dataclass(frozen=True)
class Engine:
    """A program that the contract binds: our hub or a real Centrifugo."""

    name: str
    program: Path
    version: str


class Server:
    """One running server on a port of its own, which survives a restart."""

    def __init__(self, engine: Engine, folder: Path, config: Config) -> None:
        """Write the configuration; `start` starts."""
        self.engine = engine
        self.port = int(config["http_server"]["port"])
        self.api_url = f"http://127.0.0.1:{self.port}/api"
        self.http_url = f"http://127.0.0.1:{self.port}"
        self.ws_url = f"ws://127.0.0.1:{self.port}/connection/websocket"
        self.log = folder / f"server-{self.port}.log"
        self._config_file = folder / f"config-{self.port}.json"
        self._config_file.write_text(json.dumps(config))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, deadline: float = 15) -> None:
        """Start and wait until it is healthy."""
        with self.log.open("ab") as log:
            command = [str(self.engine.program), "-c", str(self._config_file)]
            self._process = subprocess.Popen(command_for(command, death_signal=signal.SIGKILL), stdout=log, stderr=log)
        end = time.monotonic() + deadline
        while not self._healthy():
            if self._process.poll() is not None or time.monotonic() > end:
                self.kill()
                message = f"{self.engine.name} did not start: {self.log.read_text()[-2000:]}"
                raise RuntimeError(message)
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as a crash would (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self, deadline: float = 15) -> int:
        """End it as an operator would (SIGTERM); return the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(deadline)
        self._process = None
        return code

    def _healthy(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()


def config_with(**changes: Any) -> Config:
    """Return the recorded configuration on a free port, with sections merged in."""
    config = json.loads((HERE / "config.json").read_text())
    config["http_server"]["port"] = str(free_port())
    config["usage_stats"] = {"disabled": True}
    return _merged(config, changes)


def _merged(base: Config, changes: Config) -> Config:
    merged = copy.deepcopy(base)
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merged(merged[key], value)
        else:
            merged[key] = value
    return merged


@contextmanager
def running(engine: Engine, folder: Path, **changes: Any) -> Iterator[Server]:
    """Run a server for a while; whatever is left of it is killed."""
    server = Server(engine, folder, config_with(**changes))
    server.start()
    try:
        yield server
    finally:
        server.kill()
