"""Prepares what the gateway serves to browsers: `python -m stack.pages` prints each step, or why one failed.

Exit status 1: something failed.
"""

import asyncio
import signal
import sys
from typing import Never

from stack import browser_packages, console, inbox, processes
from stack.launch import command_for
from stack.node import NodeError, Report

# Of everything that is done here. The stack starts without it if it takes longer.
_DEADLINE_S = 600.0
# Work that nobody waits for gets the processor last.
_NICENESS = 10


def are_ready() -> bool:
    """Return whether there is nothing to do."""
    return browser_packages.is_installed() and inbox.is_built() and console.is_built()


def prepare() -> list[str]:
    """Prepare all pages, and return one line for each that failed. Blocking."""
    faults = []
    for work, pages in (
        (browser_packages.install, "/docs does"),
        (inbox.build, "the bell of /demo and <clarion-inbox> do"),
        (console.build, "/console does"),
    ):
        try:
            work(_print)
        except (NodeError, OSError) as error:
            faults.append(f"WARNING: {pages} not work: {error}")
    return faults


async def prepare_beside(report: Report) -> None:
    """Prepare all pages in a process of its own, which ends with this call. A failure is only reported."""
    if await asyncio.to_thread(are_ready):
        return
    process = await asyncio.create_subprocess_exec(
        *command_for(processes.command("stack.pages"), death_signal=signal.SIGTERM, niceness=_NICENESS),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=processes.ROOT,
        env=processes.inherited(),
        start_new_session=True,
    )
    last = ""
    try:
        async with asyncio.timeout(_DEADLINE_S):
            while process.stdout and (line := await process.stdout.readline()):
                report(last := line.decode(errors="replace").rstrip())
            await process.wait()
    except TimeoutError:
        report(f"WARNING: /console does not work: it was not built within {_DEADLINE_S:.0f} s.")
        return
    finally:
        if process.returncode is None:
            process.terminate()  # it ends npm
            await process.wait()
    if process.returncode and not last.startswith("WARNING"):
        report(f"WARNING: /console and /docs may not work: {last or 'they could not be prepared.'}")


def _print(text: str) -> None:
    print(text, flush=True)


def _end(_number: int, _frame: object) -> Never:
    """End this process in order, so that npm ends with it."""
    raise SystemExit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    for fault in (faults := prepare()):
        _print(fault)
    sys.exit(1 if faults else 0)
