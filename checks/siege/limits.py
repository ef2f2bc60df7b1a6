"""The memory limits of docker-compose.yml as cgroups: one for each process of a stack."""

import contextlib
import os
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_COMPOSE = Path(__file__).parents[2] / "docker-compose.yml"
_V1 = Path("/sys/fs/cgroup/memory")
_V2 = Path("/sys/fs/cgroup")
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_CLOSE_S = 3.0
# What the local stack calls a service of the compose file.
_LOCAL_NAMES = {"centrifugo": "hub"}


def compose_limits() -> dict[str, int]:
    """Return the memory limit of each role in bytes, by its name in the local stack."""
    services: dict[str, dict[str, Any]] = yaml.safe_load(_COMPOSE.read_text())["services"]
    return {
        _LOCAL_NAMES.get(name, name): read_bytes(str(service["mem_limit"]))
        for name, service in services.items()
        if "mem_limit" in service
    }


def read_bytes(text: str) -> int:
    """Return the bytes of a size in a compose file, such as 512m."""
    match = re.fullmatch(r"(\d+)([kmg]?)b?", text.lower())
    if match is None:
        raise ValueError(f"{text!r} is no size: write a number with k, m or g.")
    return int(match[1]) * _UNITS[match[2]]


@dataclass(frozen=True)
class Group:
    """The cgroup of one process and its children."""

    folder: Path
    version: int

    def add(self, pid: int) -> None:
        """Move a process into the group. A process that has ended is ignored."""
        with contextlib.suppress(OSError):
            (self.folder / "cgroup.procs").write_text(str(pid))

    def memory(self) -> int:
        """Return the memory in bytes without the page cache."""
        return _field(self.folder / "memory.stat", "total_rss" if self.version == 1 else "anon")

    def most(self) -> int:
        """Return the largest memory in bytes, including the page cache; 0 if the kernel does not report it."""
        name = "memory.max_usage_in_bytes" if self.version == 1 else "memory.peak"
        with contextlib.suppress(OSError, ValueError):
            return int((self.folder / name).read_text())
        return 0

    def oom_kills(self) -> int:
        """Return the number of processes that the kernel killed for lack of memory."""
        return _field(self.folder / ("memory.oom_control" if self.version == 1 else "memory.events"), "oom_kill")


class Groups:
    """The cgroups of one stack. Close it once the stack has ended."""

    def __init__(self, folder: Path, version: int) -> None:
        self._folder = folder
        self._version = version
        self._made: dict[str, Group] = {}

    def group(self, name: str, limit: int | None) -> Group:
        """Return the group of a process; the first call creates it. limit: bytes; None: no limit."""
        if name not in self._made:
            folder = self._folder / name
            folder.mkdir()
            if self._version == 1:
                # What a process took before it was moved counts here, too; newer kernels no longer can.
                with contextlib.suppress(OSError):
                    (folder / "memory.move_charge_at_immigrate").write_text("3")
            if limit is not None:
                name_of_limit = "memory.limit_in_bytes" if self._version == 1 else "memory.max"
                (folder / name_of_limit).write_text(str(limit))
            self._made[name] = Group(folder, self._version)
        return self._made[name]

    def close(self) -> None:
        """Remove the groups. The kernel may need a moment; the group of a living process stays."""
        until = time.monotonic() + _CLOSE_S
        for folder in [*(group.folder for group in self._made.values()), self._folder]:
            while folder.exists() and time.monotonic() < until:
                try:
                    folder.rmdir()
                except OSError:
                    time.sleep(0.05)


def open_groups() -> Groups | None:
    """Return new groups, None if this machine has no cgroups or we may not create any."""
    for root, version in ((_V1, 1), (_V2, 2)):
        folder = root / f"clarion-siege-{os.getpid()}-{secrets.token_hex(3)}"
        try:
            if version == 2 and "memory" not in (root / "cgroup.controllers").read_text().split():
                continue
            folder.mkdir()
            if version == 2:
                (folder / "cgroup.subtree_control").write_text("+memory")
            elif not (folder / "memory.limit_in_bytes").exists():
                folder.rmdir()
                continue
        except OSError:
            with contextlib.suppress(OSError):
                folder.rmdir()
            continue
        return Groups(folder, version)
    return None


def _field(path: Path, name: str) -> int:
    with contextlib.suppress(OSError):
        for line in path.read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    return 0
