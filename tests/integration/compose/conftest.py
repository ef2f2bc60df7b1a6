"""The image's environment, and a .env."""

import subprocess
from pathlib import Path

import pytest

from tests.integration.compose import image
from tests.integration.compose.files import ROOT
from tests.integration.compose.image import Image


@pytest.fixture(scope="package")
def env_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .env as deploy/new-env.sh makes it."""
    file = tmp_path_factory.mktemp("env") / ".env"
    subprocess.run([ROOT / "deploy" / "new-env.sh", file], check=True)
    return file


@pytest.fixture(scope="package")
def built(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """What the Dockerfile makes."""
    return image.build(tmp_path_factory.mktemp("image"))
