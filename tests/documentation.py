"""The code that README.md and docs/*.md show, and a shell to run it in as a reader would."""

import os
import re
import subprocess
import sys
from pathlib import Path

from stack import processes
from stack.client import Running

_SECTION = re.compile(r"^## ", re.MULTILINE)
_PYTHON = ".venv/bin/python"


def page(name: str) -> str:
    """Return a page, named from the checkout's root: "docs/grpc.md"."""
    return (processes.ROOT / name).read_text(encoding="utf-8")


def section(name: str, title: str) -> str:
    """Return the part of a page under a heading of the second level."""
    [found] = [part for part in _SECTION.split(page(name)) if part.startswith(f"{title}\n")]
    return found


def blocks(text: str, language: str) -> list[str]:
    """Return the blocks of code in a language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def block(text: str, language: str, holding: str) -> str:
    """Return the one block in a language that holds a word."""
    [one] = [code for code in blocks(text, language) if holding in code]
    return one


def shell(
    code: str, running: Running, *, folder: Path = processes.ROOT, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Run lines for a POSIX shell in the checkout, or in another folder, with a running stack as the one that is meant.

    The checkout's own Python stands for the one that runs the test. Blocking; the first line that fails ends it.
    """
    code = code.replace(_PYTHON, f'"{sys.executable}"')
    data = {"CLARION_DATA": str(running.data)}
    return subprocess.run(
        ["sh", "-eu", "-c", code],
        cwd=folder,
        env={**os.environ, **data, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
