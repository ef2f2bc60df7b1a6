"""Tries a running stack longer than `make test` does: python -m tests.conformance.openapi [examples] (200)."""

import os
import sys
import tempfile
from pathlib import Path

from stack.client import Running
from stack.local import Options
from tests.conformance.openapi import trying

_DEADLINE_S = 3600.0


def main() -> None:
    """Try the stack of CLARION_DATA; exit status 1 where something is found. Its demo tenant ends up shut out."""
    examples = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    state = Running(Options.from_environment(os.environ).data).state
    passed = True
    for admin in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            tried = trying.run(state, Path(folder), examples=examples, deadline=_DEADLINE_S, admin=admin)
        print(tried.output)
        passed = passed and tried.passed
    raise SystemExit(0 if passed else 1)


if __name__ == "__main__":
    main()
