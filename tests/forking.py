"""Starts services in a few milliseconds: a process that has imported them all, and forks for each one.

Run by tests.spawning as `python -m tests.forking`, with one request on each line of its input, and an answer on each
line of its output:
    {"start": module, "environment": {...}, "log": path}   {"pid": 123}
    {"reap": 123}                                          {"status": 0}    the exit status, once the process has ended
It ends with its input, and its processes end with it.
"""

import importlib
import json
import os
import runpy
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

from stack.launch import end_with_parent

MODULES = ("gateway", *(f"services.{name}" for name in ("ingest", "router", "render", "senders", "realtime")))


def main() -> None:
    """Serve requests until the input ends."""
    for module in MODULES:
        importlib.import_module(f"{module}.__main__")
        del sys.modules[f"{module}.__main__"]  # only what it imports is wanted: it runs as __main__
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line))), flush=True)


def _answer(request: dict[str, Any]) -> dict[str, int]:
    if "reap" in request:
        _, status = os.waitpid(request["reap"], 0)
        return {"status": os.waitstatus_to_exitcode(status)}
    parent = os.getpid()
    pid = os.fork()
    if not pid:
        _become(request["start"], request["environment"], Path(request["log"]), parent)
    return {"pid": pid}


def _become(module: str, environment: dict[str, str], log: Path, parent: int) -> NoReturn:
    """Run a module as `python -m` does, in what the fork left of this process; never return."""
    status = 1
    try:
        end_with_parent(signal.SIGKILL, parent)
        with log.open("ab") as output, Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = [module]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as ended:
        status = _status(ended)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _status(ended: SystemExit) -> int:
    if ended.code is None or isinstance(ended.code, int):
        return ended.code or 0
    print(ended.code, file=sys.stderr)
    return 1


if __name__ == "__main__":
    main()
