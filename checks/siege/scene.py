"""The environment of an attack: a stack with limits, the neighbour's tenant, and the findings."""

import asyncio
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.ground import prepare_postgres
from checks import broker
from checks.broker import Broker
from checks.client import Client, connect
from checks.outage import Away
from checks.ports import free_port
from checks.siege import limits
from checks.siege.watch import Watch
from checks.strike import DUPLICATES_BOUND
from stack import client as stack_client
from stack.client import Running
from stack.local import Options

MIB = 1024**2
# Attacks come from this address, so that a bound per address does not meet the neighbour. All of 127/8 is loopback.
ATTACKER = "127.0.66.1"


class UnavailableError(Exception):
    """The attack cannot run on this machine. The text says what is missing."""


@dataclass(frozen=True)
class Choices:
    """The options of the command line. rate: of the sustained load in events/s; 0: half of what the machine holds."""

    scale: float
    rate: float
    minutes: float


@dataclass
class Scene:
    """The stack and findings of one attack. faults: violated limits. notes: further measurements."""

    running: Running
    client: Client
    watch: Watch
    choices: Choices
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    # Unix seconds: when the neighbour's errors are our own doing, such as a kill -9 of NATS.
    excused: list[tuple[float, float]] = field(default_factory=list)
    # As excused, but only that deliveries wait: events must be accepted meanwhile.
    slow: list[tuple[float, float]] = field(default_factory=list)
    # The processes that the attack itself ended.
    own_ends: set[str] = field(default_factory=set)
    # Each time PostgreSQL was away.
    aways: list[Away] = field(default_factory=list)
    # Deliveries that a kill of the broker may repeat: what the senders have under way.
    repeats: int = 0
    neighbour_id: str = ""

    def kill_nats(self) -> int:
        """Kill the broker with -9, and allow the repeats that this may cause. Return its number of starts."""
        self.own_ends.add("nats")
        self.repeats = DUPLICATES_BOUND
        return self.running.kill("nats")

    def count(self, full: int, least: int = 1) -> int:
        """Return the scaled size of an attack."""
        return max(least, round(full * self.choices.scale))

    def check(self, is_so: object, text: str) -> None:
        """Add a measurement, and a fault if it is out of its limit."""
        self.notes.append(text)
        if not is_so:
            self.faults.append(text)

    def taken(self, name: str) -> int:
        """Return the current memory of a process in bytes."""
        return self.watch.now.get(name, 0)

    async def broker(self) -> Broker:
        """Return the current state of the streams. Raises like checks.broker.read()."""
        return await broker.read(self.client.http.session, self.running)


@asynccontextmanager
async def scene(
    choices: Choices, environment: Mapping[str, str], *, tmpfs_mib: int = 0, unlimited: bool = False
) -> AsyncIterator[Scene]:
    """Start a stack for the length of a block. tmpfs_mib: the broker's store is on a file system of this size.

    Raises stack.faults.StackError, and UnavailableError where nothing can be mounted. A failure leaves the logs.
    """
    folder = Path(tempfile.mkdtemp(prefix="clarion-siege-"))
    store = folder / "nats"
    groups = None if unlimited else limits.open_groups()
    watch = Watch(folder, groups)
    keep = True
    try:
        if tmpfs_mib:
            _mount(store, tmpfs_mib)
        prepare_postgres(folder)
        watch.start()
        options = Options(data=folder, port=free_port())
        async with (
            stack_client.run(options, environment=environment) as running,
            connect(running.state, connections=256) as client,
        ):
            made = Scene(running, client, watch, choices)
            yield made
            keep = bool(made.faults)
    finally:
        watch.close()
        if tmpfs_mib:
            _unmount(store)
        if groups:
            groups.close()
        if keep:
            print(f"  the stack's logs: {folder}/log", flush=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _unmount(folder: Path) -> None:
    subprocess.run(["umount", str(folder)], check=False, capture_output=True)


def end_as_after_ctrl_c() -> None:
    """Make SIGTERM cancel the running task, so that the stack stops and everything is cleaned up."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def _mount(folder: Path, mib: int) -> None:
    folder.mkdir(parents=True, mode=0o700)
    try:
        command = ["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=0700", "clarion-siege", str(folder)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except OSError as error:
        raise UnavailableError("mount is not installed") from error
    if done.returncode:
        raise UnavailableError(f"no tmpfs can be mounted ({done.stderr.strip()}): run it as root")


def bytes_below(folder: Path) -> int:
    """Return the disk space of a folder's files in bytes."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_blocks * 512
        except OSError:
            continue  # a running server's files come and go
    return total


def mib(number: float) -> str:
    """Return bytes as text."""
    return f"{number / MIB:,.0f} MiB"
