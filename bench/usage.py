"""Memory (PSS) and processor time of the stack's processes, with their children. Linux only."""

import asyncio
import contextlib
import os
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stack.client import Running

MIB = 1024**2
_QUIET_SHARE = 0.05
_QUIET_STEP_S = 0.5
_TICKS = os.sysconf("SC_CLK_TCK")


def processes(stack: Running) -> dict[str, int]:
    """Return the names and ids of the stack's processes, including the supervisor."""
    state = stack.state
    return {"supervisor": state.pid, **{name: one.pid for name, one in state.processes.items() if one.pid}}


def memory(pids: Mapping[str, int]) -> dict[str, int]:
    """Return the memory (PSS) of each process with its children, in bytes."""
    return {name: sum(map(_pss, family)) for name, family in families(pids).items()}


def cpu(pids: Mapping[str, int]) -> dict[str, float]:
    """Return the processor seconds of each process with its children, including dead ones."""
    return {name: sum(map(_cpu, family)) for name, family in families(pids).items()}


@dataclass(frozen=True)
class Whole:
    """Processor seconds of the whole machine since it started."""

    busy: float
    idle: float


def machine() -> Whole:
    """Return the processor time of the whole machine so far."""
    # user nice system idle iowait irq softirq steal; guest time is within user's.
    times = [int(field) / _TICKS for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    idle = times[3] + times[4]
    return Whole(sum(times) - idle, idle)


def difference(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    """Return the difference for processes that lived the whole time."""
    return {name: value - before[name] for name, value in after.items() if name in before}


async def quiet(pids: Mapping[str, int], deadline: float = 15.0) -> None:
    """Wait until the stack is idle, at most deadline seconds."""
    until = time.monotonic() + deadline
    before = sum(cpu(pids).values())
    while time.monotonic() < until:
        await asyncio.sleep(_QUIET_STEP_S)
        now = sum(cpu(pids).values())
        if now - before < _QUIET_SHARE * _QUIET_STEP_S:
            return
        before = now


def families(pids: Mapping[str, int]) -> dict[str, list[int]]:
    """Return each process with its descendants, without named processes (the children of the supervisor)."""
    children = defaultdict(list)
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (fields := _stat(int(folder.name))):
            children[int(fields[1])].append(int(folder.name))
    named = set(pids.values())

    def below(pid: int) -> list[int]:
        return [pid, *(one for child in children[pid] if child not in named for one in below(child))]

    return {name: below(pid) for name, pid in pids.items()}


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/<pid>/stat from the state on, empty if the process has ended."""
    with contextlib.suppress(OSError):
        # The name before them may hold blanks and brackets.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return []


def _pss(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _cpu(pid: int) -> float:
    # utime, stime, and those of the children that have ended.
    return sum(map(int, _stat(pid)[11:15])) / _TICKS
