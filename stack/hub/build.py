"""Find or build the realtime hub of the local stack."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from stack import go_program
from stack.faults import StackError
from stack.go_program import GoProgram, Report

_HUB = GoProgram("hub", "The realtime hub", Path(__file__).parent)


class HubUnavailableError(StackError):
    """There is no realtime hub. The message says why in one sentence."""


def hub_binary(cache_dir: Path, report: Report) -> Path:
    """Return the path of the hub. Start it with `-c config.json`.

    That is a Centrifugo v6 where there is one (see `find_centrifugo`), else our
    own hub, built into `cache_dir` unless it is there already. `report` gets
    one line for a person whenever something slow begins.

    Raises:
        HubUnavailableError: nothing was found and nothing could be built.
    """
    return find_centrifugo() or build_hub(cache_dir, report)


def find_centrifugo() -> Path | None:
    """Return the Centrifugo named by CLARION_CENTRIFUGO, else a v6 on PATH.

    Raises:
        HubUnavailableError: CLARION_CENTRIFUGO names something that cannot be run.
    """
    named = os.environ.get("CLARION_CENTRIFUGO")
    if named:
        if not os.access(named, os.X_OK) or Path(named).is_dir():
            message = f"CLARION_CENTRIFUGO names {named}, which is no program that can be run."
            raise HubUnavailableError(message)
        return Path(named).resolve()
    found = shutil.which("centrifugo")
    return Path(found) if found and " v6." in go_program.output_of([found, "version"]) else None


def build_hub(cache_dir: Path, report: Report) -> Path:
    """Return our own hub, built from the sources beside this file if need be.

    Raises:
        HubUnavailableError: there is no Go, or the build fails.
    """
    try:
        return go_program.build(_HUB, cache_dir, report)
    except go_program.GoBuildError as error:
        raise HubUnavailableError(str(error)) from error
