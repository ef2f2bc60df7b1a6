"""Runs templates, one after another, in a process that may be taken over: standard input to standard output, as JSON.

The argument says by what: "stock" (pybars3 as published), "guard" (guard.py and runtime.py alone), "engine" (all).
"""

import datetime as dt
import json
import resource
import signal
import sys
import time
from typing import Any

import pybars

from services.render import engines
from services.render.handlebars import Culture, Output
from services.render.handlebars.scope import Rendering, Scope
from services.render.handlebars.values import escape
from services.render.helpers import HELPERS
from services.render.pybars3.guard import compile_function
from services.render.pybars3.runtime import Runtime

_MEMORY = 400 * 1024 * 1024
_SECONDS = 0.3
_LIMIT = 100_000
_ENGINE = engines.load(engines.PYBARS3, compile_s=_SECONDS)

_called: list[str] = []


class Account:
    """What a program may keep beside the data of a template."""

    def __init__(self) -> None:
        self.password = "hunter2"


class _TimeIsUpError(BaseException):
    pass


def _stop(_number: int, _frame: Any) -> None:
    raise _TimeIsUpError


def _call(*_arguments: Any) -> str:
    _called.append("called")
    return "called"


_OBJECTS = {
    "datetime": dt.datetime(2026, 11, 29, tzinfo=dt.UTC),
    "account": Account(),
    "callable": _call,
    "strlist": pybars.strlist(["<b>"]),
    "scope": pybars.Scope({"k": "v"}, None, {"secret": "of the root"}),
}


def _with_objects(value: Any) -> Any:
    """Return data with {"$": name} replaced by an object that JSON does not have."""
    if isinstance(value, dict):
        return _OBJECTS[value["$"]] if "$" in value else {key: _with_objects(inner) for key, inner in value.items()}
    return list(map(_with_objects, value)) if isinstance(value, list) else value


def _stock(template: str, data: Any, partials: dict[str, str]) -> str:
    compiler = pybars.Compiler()
    functions = {name: compiler.compile(text) for name, text in partials.items()}
    return str(compiler.compile(template)(data, partials=functions))


def _guard(template: str, data: Any, partials: dict[str, str]) -> str:
    runtime = Runtime(HELPERS, escape, None)

    def compiled() -> Any:
        runtime.partials.update({name: compile_function(text, runtime.names) for name, text in partials.items()})
        return compile_function(template, runtime.names)

    function = _ENGINE.limited(compiled)
    output = Output(_LIMIT, time.process_time() + _SECONDS)
    runtime.run(function, Scope.outermost(Rendering(data, output, Culture())), output)
    return output.text()


def _engine(template: str, data: Any, partials: dict[str, str]) -> str:
    made = _ENGINE.limited(
        lambda: _ENGINE.compile_template(template, escaping=True, partials=partials, helpers=HELPERS)
    )
    return made.render(data, Output(_LIMIT, time.process_time() + _SECONDS))


def _attempt(run: Any, template: str, data: Any, partials: dict[str, str]) -> str:
    """Return what became of it: "wrote: …", "time", "memory", or an error's name and text."""
    data = _with_objects(data)
    _called.clear()
    # All of it, for the engine bounds its two parts by itself.
    signal.signal(signal.SIGPROF, _stop)
    signal.setitimer(signal.ITIMER_PROF, _SECONDS * 3)
    try:
        outcome = f"wrote: {run(template, data, partials)}"
    except _TimeIsUpError:
        outcome = "time"
    except MemoryError:
        outcome = "memory"
    except Exception as error:
        outcome = f"{type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return "".join(_called) + outcome[:2000]


def main() -> None:
    """Answer a list of [template, data, partials] with a list of outcomes."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    pybars.log = lambda value: _called.append(f"logged {value} ")
    run = {"stock": _stock, "guard": _guard, "engine": _engine}[sys.argv[1]]
    json.dump([_attempt(run, *attack) for attack in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    main()
