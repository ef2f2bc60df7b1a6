"""Both engines for every test of this folder, and a line that says which ones ran."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from stack.hub.build import build_hub, find_centrifugo
from tests.conftest import ENGINE

from .servers import HERE, Engine, Server, running

_CACHE = HERE.parents[2] / "build"  # where the local stack builds it too
_CENTRIFUGO = find_centrifugo()


@pytest.fixture(scope="session")
def clarion_hub(request: pytest.FixtureRequest) -> Engine:
    """Our hub alone, for what only it promises."""
    terminal = request.config.get_terminal_writer()
    program = build_hub(_CACHE, lambda line: terminal.line(f"\n{line}"))
    return Engine("clarion hub", program, _version(program))


@pytest.fixture(scope="session", params=["hub", *(["centrifugo"] if _CENTRIFUGO else [])])
def engine(request: pytest.FixtureRequest, clarion_hub: Engine) -> Engine:
    """Each engine in turn: our hub, and a real Centrifugo where one is found."""
    chosen = clarion_hub
    if request.param == "centrifugo":
        assert _CENTRIFUGO is not None
        chosen = Engine("Centrifugo", _CENTRIFUGO, _version(_CENTRIFUGO))
    return chosen


@pytest.fixture(autouse=True)
def record_engine(engine: Engine, record_property: Callable[[str, object], None]) -> None:
    """For the line at the end of the run that tells against which engines the contract was held."""
    record_property(ENGINE, f"{engine.name} {engine.version}")


def _version(program: Path) -> str:
    """Return the version out of "Centrifugo v6.9.1 (…)" or "clarion hub v0.38.0"."""
    done = subprocess.run([program, "version"], capture_output=True, text=True, check=True)
    return next(word for word in done.stdout.split() if word.startswith("v")).removeprefix("v")


@pytest.fixture(scope="session")
def server(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server with the recorded configuration, shared: use channels of your own."""
    with running(engine, tmp_path_factory.mktemp("hub")) as started:
        yield started


@pytest.fixture
def start_server(engine: Engine, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start a server of the test's own, with changes to the configuration."""
    with ExitStack() as stack:

        def start(**changes: Any) -> Server:
            return stack.enter_context(running(engine, tmp_path, **changes))

        yield start
