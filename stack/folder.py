"""The data folder of a local stack, with its lock, secrets and ports. Secrets and ports are chosen once and kept."""

import base64
import errno
import fcntl
import os
import random
import secrets
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import msgspec

from stack.faults import StackError

GATEWAY_PORT = 8080
# Below the range that systems use for outgoing connections, so that our ports stay free.
PORTS = range(20_000, 30_000)

# Secrets that folders of earlier versions do not have.
_ADDED = ("pseudonym_key",)

T = TypeVar("T")


class Secrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The secrets that the parts of the stack share."""

    postgres_password: str
    nats_password: str
    service_token: str
    admin_token: str
    encryption_key: str
    centrifugo_api_key: str
    centrifugo_token_secret: str
    principal_secret: str
    pseudonym_key: str


class Demo(msgspec.Struct, frozen=True):
    """The tenant that the first start creates.

    team_key, team: a key for Sendmator's API, and the id of the tenant's default team; empty until they are made.
    """

    tenant_id: str
    api_key: str
    user_id: str
    team_key: str = ""
    team: str = ""


class Folder:
    """A data folder. Raises StackError if it cannot be created or used."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        try:
            str(self.path).encode()
        except UnicodeEncodeError:
            raise StackError(
                f"The name of the data folder {str(self.path)!r} is not valid UTF-8: choose another one."
            ) from None
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.log.mkdir(exist_ok=True)
        except OSError as error:
            raise StackError(f"The data folder {self.path} cannot be created: {_reason(error)}.") from error
        self._lock: int | None = None

    @property
    def log(self) -> Path:
        """The folder of the processes' logs."""
        return self.path / "log"

    @property
    def state(self) -> Path:
        """The file that describes the running stack for tests and tools."""
        return self.path / "stack.json"

    @property
    def demo(self) -> Path:
        """The file with the demo tenant's id and key."""
        return self.path / "demo.json"

    def lock(self) -> None:
        """Lock the folder for the life of this process, so that no second supervisor uses it."""
        try:
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StackError(f"The data folder {self.path} cannot be written: {_reason(error)}.") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, 20).decode() or "unknown"
            os.close(descriptor)
            raise StackError(
                f"Another stack (process {holder}) uses {self.path}: stop it, or set CLARION_DATA to another folder."
            ) from error
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._lock = descriptor

    def unlock(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def secrets(self) -> Secrets:
        """Return the secrets. The first start creates them; secrets that are new in this version are added."""
        path = self.path / "secrets.json"
        if not path.exists():
            write_private(path, msgspec.json.encode(_new_secrets()))
        kept = self._read(path, dict[str, str])
        new = msgspec.structs.asdict(_new_secrets())
        if not kept.keys() >= new.keys() and kept.keys() >= new.keys() - set(_ADDED):
            write_private(path, msgspec.json.encode({**{name: new[name] for name in _ADDED}, **kept}))
        return self._read(path, Secrets)

    def demo_tenant(self) -> Demo | None:
        """Return the demo tenant, None before it is created."""
        return self._read(self.demo, Demo) if self.demo.exists() else None

    def ports(self, names: Iterable[str], *, gateway: int | None, among: range = PORTS) -> dict[str, int]:
        """Return a port for each name: the one of the last start if it is still free, else one of `among`.

        gateway: the port wanted for the name "gateway"; None: the one of last time, else 8080 or the next free
        one. That one is a promise to people, so a taken one is an error; the others may move.
        """
        path = self.path / "ports.json"
        kept = self._read(path, dict[str, int]) if path.exists() else {}
        ports: dict[str, int] = {}
        for name in names:
            if name == "gateway":
                ports[name] = _gateway_port(gateway, kept.get(name))
            elif (port := kept.get(name)) is not None and port not in ports.values() and is_free(port):
                ports[name] = port
            else:
                ports[name] = _any_port(among, {*ports.values(), *kept.values()})
        write_private(path, msgspec.json.encode({**kept, **ports}))
        return ports

    def _read(self, path: Path, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(path.read_bytes(), type=kind)
        except (OSError, msgspec.DecodeError) as error:
            raise StackError(
                f"{path} cannot be read ({_reason(error)}): put it back, or start afresh with `make clean`."
            ) from error


def write_private(path: Path, content: bytes) -> None:
    """Replace a file atomically. Only its owner may read it."""
    part = path.with_name(f"{path.name}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise StackError(f"{path} cannot be written: {_reason(error)}.") from error


def is_free(port: int) -> bool:
    """Return whether a server could listen on the port."""
    with socket.socket() as listener:
        # Like servers: a port with connections in TIME_WAIT counts as free.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def _gateway_port(wanted: int | None, kept: int | None) -> int:
    fixed = wanted or kept
    if fixed is not None:
        if not is_free(fixed):
            raise StackError(f"Port {fixed} is used by another program: stop it, or set CLARION_PORT to another port.")
        return fixed
    for port in range(GATEWAY_PORT, GATEWAY_PORT + 100):
        if is_free(port):
            return port
    raise StackError(f"No port from {GATEWAY_PORT} to {GATEWAY_PORT + 99} is free: set CLARION_PORT to a free one.")


def _any_port(among: range, taken: set[int]) -> int:
    for _ in range(1000):
        port = random.choice(among)  # noqa: S311 - no secret
        if port not in taken and is_free(port):
            return port
    raise StackError(f"No free port was found between {among.start} and {among.stop - 1}.")


def _new_secrets() -> Secrets:
    return Secrets(
        postgres_password=secrets.token_hex(24),
        nats_password=secrets.token_hex(24),
        service_token=secrets.token_hex(32),
        admin_token=secrets.token_hex(24),
        encryption_key=base64.b64encode(secrets.token_bytes(32)).decode(),
        centrifugo_api_key=secrets.token_hex(32),
        centrifugo_token_secret=secrets.token_hex(32),
        principal_secret=secrets.token_hex(32),
        pseudonym_key=secrets.token_hex(32),
    )


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) else None
    return (text or str(error)).rstrip(".")
