"""A new .env, the services with it, and the image's environment."""

import subprocess
from pathlib import Path

import pytest

from tests.integration.compose import image
from tests.integration.compose.compose_file import ROOT, Service, compose, read_env


@pytest.fixture(scope="package")
def env_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .env as deploy/new-env.sh makes it."""
    file = tmp_path_factory.mktemp("env") / ".env"
    subprocess.run([ROOT / "deploy" / "new-env.sh", file], check=True)
    return file


@pytest.fixture
def services(env_file: Path) -> dict[str, Service]:
    """The services of a new deployment."""
    return dict(compose(read_env(env_file))["services"])


@pytest.fixture(scope="package")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment that the Dockerfile makes."""
    return image.build(tmp_path_factory.mktemp("image"))
