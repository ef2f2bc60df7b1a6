"""Makes what the Dockerfile makes, without Docker: an environment with the locked packages and Clarion's wheel.

The wheel is built from what the Dockerfile copies, by uv, whose cache has the packages of .venv.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from stack import browser_packages, console, inbox
from tests.integration.compose.compose_file import ROOT

# Where the image has its environment.
PREFIX = "/opt/clarion"
_TEXT = re.sub(r" *\\\n *", " ", (ROOT / "Dockerfile").read_text())
NPM, CONSOLE, INBOX, BUILD, IMAGE = STAGES = re.split(r"^FROM ", _TEXT, flags=re.MULTILINE)[1:]
# What the build copies from the checkout: pairs of names and a target.
COPIED = [(names.split(), target) for names, target in re.findall(r"^COPY (?!--)(.+) (\S+)$", BUILD, re.MULTILINE)]
# What .dockerignore leaves out of the folders that it lets through.
NEVER_SENT = re.findall(r"^\*\*/(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)

_UV = shutil.which("uv") or ROOT / "build/uv/bin/uv"
_INSTALL = f"""
uv() {{ {_UV} --offline "$@" || {_UV} "$@"; }}
uv venv --python {sys.executable} ../image
uv pip sync --python ../image/bin/python --compile-bytecode --require-hashes requirements/base.txt
uv pip install --python ../image/bin/python --compile-bytecode --no-deps --build-constraints requirements/build.txt .
"""


def build(folder: Path) -> Path:
    """Return the image's environment, made in the folder."""
    browser_packages.install(print)
    console.build(print)
    inbox.build(print)
    source, modules = folder / "src", Path("gateway/browser/node_modules")
    for names, target in COPIED:
        for origin in map(ROOT.joinpath, names):
            place = source / target / (origin.name if target.endswith("/") else "")
            place.parent.mkdir(parents=True, exist_ok=True)
            if origin.is_dir():
                shutil.copytree(origin, place, ignore=shutil.ignore_patterns(*NEVER_SENT))
            else:
                shutil.copyfile(origin, place)
    (source / modules).symlink_to(ROOT / modules)
    shutil.copytree(console.FOLDER / console.DIST, source / "gateway" / "console" / "dist")
    shutil.copytree(inbox.FOLDER / inbox.DIST, source / "gateway" / "inbox" / "dist")
    subprocess.run(["sh", "-ec", _INSTALL], cwd=source, check=True)
    return folder / "image"


def variables(environment: Path) -> dict[str, str]:
    """Return the variables that the image sets, with its paths as they are here."""
    (words,) = re.findall("^ENV (.+)$", IMAGE, re.MULTILINE)
    return dict(word.split("=", 1) for word in words.replace(PREFIX, str(environment)).split())
