"""Makes what the Dockerfile makes, without Docker: an environment with Clarion's wheel and its locked packages only.

Its COPY instructions are followed; its `pip wheel` is a call of the same build backend; packages of
requirements/base.txt are links to the ones installed here, so packages of tests and of the local stack are missing.
"""

import importlib.metadata
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from stack import browser_packages
from tests.integration.compose import files
from tests.integration.compose.files import ROOT

# Where the image has its environment.
PREFIX = "/opt/clarion"
_BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"


@dataclass(frozen=True)
class Image:
    """The image's environment."""

    folder: Path

    @property
    def packages(self) -> Path:
        """Where Clarion and its packages are installed."""
        return next(self.folder.glob("lib/python*/site-packages"))

    def variables(self) -> dict[str, str]:
        """Return what the image sets, with its paths as they are here."""
        (text,) = [text for instruction, text in files.stages()[-1] if instruction == "ENV"]
        return dict(word.split("=", 1) for word in text.replace(PREFIX, str(self.folder)).split())

    def python(self, code: str) -> str:
        """Run code in the image and return what it prints."""
        return _run(str(self.folder / "bin" / "python"), "-c", code, folder=self.folder)


def build(folder: Path) -> Image:
    """Follow the Dockerfile."""
    image, source, wheels = Image(folder / "image"), folder / "src", folder / "wheels"
    browser_packages.install(ROOT / "build", print)
    for words in [text.split() for instruction, text in files.stages()[1] if instruction == "COPY"]:
        _copy(words, source)
    wheels.mkdir()
    wheel = wheels / _run(sys.executable, "-c", _BUILD, str(wheels), folder=source).split()[-1]
    _run(sys.executable, "-m", "venv", "--without-pip", str(image.folder))
    for name, version in re.findall(
        r"^([a-z0-9.-]+)==(\S+)", (ROOT / "requirements/base.txt").read_text(), re.MULTILINE
    ):
        _link(name, version, image.packages)
    shutil.unpack_archive(wheel, image.packages, "zip")
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="clarion")
    program = image.folder / "bin" / "clarion"
    program.write_text(f"#!{image.folder}/bin/python\nfrom {script.module} import {script.attr}\n{script.attr}()\n")
    program.chmod(0o755)
    ours = [str(image.packages / name) for name in ("clarion", "cli", "gateway", "runtime", "services")]
    _run(sys.executable, "-m", "compileall", "-q", *ours)  # as pip does
    return image


def _copy(words: list[str], source: Path) -> None:
    from_stage = words[0].startswith("--from=")
    *names, target = words[from_stage:]
    for name in names:
        origin = ROOT / "gateway" / name[1:] if from_stage else ROOT / name
        copied = source / target / origin.name if target.endswith("/") else source / target
        copied.parent.mkdir(parents=True, exist_ok=True)
        if origin.is_file():
            shutil.copyfile(origin, copied)
        else:
            shutil.copytree(origin, copied, ignore=shutil.ignore_patterns("*.map") if from_stage else _not_sent)


def _not_sent(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if not files.is_sent((Path(folder) / name).relative_to(ROOT).as_posix())]


def _link(name: str, version: str, target: Path) -> None:
    try:
        package = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return  # not for this platform: the lock is for all of them
    assert package.version == version, f"{name} {package.version} is installed, the lock has {version}"
    for part in {file.parts[0] for file in package.files or ()} - {"..", "__pycache__"}:
        if not (target / part).exists():
            (target / part).symlink_to(Path(str(package.locate_file(part))).resolve())


def _run(*command: str, folder: Path | None = None) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout
