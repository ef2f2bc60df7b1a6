"""Makes what the Dockerfile makes, without Docker: an environment with Clarion's wheel and its locked packages only.

The stages' instructions are followed with what a test machine has:

- COPY takes from the checkout what .dockerignore lets through, nothing else;
- `pip wheel --no-build-isolation` is a call of the same build backend;
- packages of requirements/base.txt are links to the ones installed here, whose versions must be those of the lock:
  whatever is needed only by tests or the local stack is not there;
- the browser stage's packages come from gateway/browser/install.py, which runs the same `npm ci`.
"""

import importlib.metadata
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from stack import browser_packages
from tests.integration.compose import dockerfile
from tests.integration.compose.compose_file import ROOT

# Where the image has its environment.
PREFIX = "/opt/clarion"
_LOCKED = re.compile(r"^([a-z0-9.-]+)==(\S+)", re.MULTILINE)
_BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"


@dataclass(frozen=True)
class Image:
    """The image's file system as far as it matters: its environment."""

    folder: Path

    def variables(self) -> dict[str, str]:
        """Return what the image sets, with its paths as they are here."""
        return {name: self.local(value) for name, value in dockerfile.stages()[-1].environment.items()}

    def local(self, text: str) -> str:
        """Return a text with the image's paths as they are here."""
        return text.replace(PREFIX, str(self.folder))

    @property
    def packages(self) -> Path:
        """Where Clarion and its packages are installed."""
        return next(self.folder.glob("lib/python*/site-packages"))


def build(folder: Path) -> Image:
    """Follow the Dockerfile. Blocking; some seconds."""
    source = folder / "src"
    _copy(source)
    wheel = _wheel(source, folder / "wheels")
    image = Image(folder / "image")
    _run(sys.executable, "-m", "venv", "--without-pip", str(image.folder))
    for name, version in _LOCKED.findall((ROOT / "requirements" / "base.txt").read_text()):
        _link(name, version, image.packages)
    python = str(image.folder / "bin" / "python")
    _run(_uv(), "pip", "install", "--quiet", "--offline", "--no-deps", "--python", python, str(wheel))
    # As pip does on its own.
    _run(python, "-m", "compileall", "-q", "-j", "2", *(str(image.packages / name) for name in _our_packages(wheel)))
    return image


def _copy(source: Path) -> None:
    browser_packages.install(ROOT / "build", print)
    (stage,) = [stage for stage in dockerfile.stages() if stage.name == "build"]
    for copy in stage.copies:
        for name in copy.sources:
            target = source / copy.target / Path(name).name if copy.target.endswith("/") else source / copy.target
            if copy.stage == "browser":
                origin = ROOT / "gateway" / name.removeprefix("/")
                shutil.copytree(origin, target, ignore=shutil.ignore_patterns("*.map"))
            else:
                dockerfile.copy_sent(ROOT / name, target)


def _wheel(source: Path, folder: Path) -> Path:
    folder.mkdir()
    done = _run(sys.executable, "-c", _BUILD, str(folder), folder=source)
    return folder / done.split()[-1]


def _link(name: str, version: str, target: Path) -> None:
    try:
        package = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return  # not for this platform: the lock is for all of them
    assert package.version == version, f"{name} {package.version} is installed, the lock has {version}"
    for part in {file.parts[0] for file in package.files or ()} - {"..", "__pycache__"}:
        link = target / part
        if not link.exists():
            link.symlink_to(Path(str(package.locate_file(part))).resolve())


def _our_packages(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name.split("/")[0] for name in archive.namelist() if name.endswith(".py")}


def _uv() -> str:
    # As requirements/install.sh finds it.
    return shutil.which("uv") or str(ROOT / "build" / "uv" / "bin" / "uv")


def _run(*command: str, folder: Path | None = None) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout
