"""The image's environment, and a deployment in it."""

import asyncio
import json
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from stack.hub.build import hub_binary
from tests.conftest import PostgresServer, in_thread
from tests.integration.compose import compose_file, image
from tests.integration.compose.compose_file import ROOT
from tests.integration.compose.engine import Engine
from tests.integration.compose.image import Image
from tests.integration.compose.places import Places

_CENTRIFUGO_PORT = 8000


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


@pytest.fixture(scope="module")
def deployment(
    built: Image, env_file: Path, postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """Everything of docker-compose.yml, up and healthy."""
    folder = tmp_path_factory.mktemp("deployment")
    database = f"compose_{secrets.token_hex(4)}"
    in_thread(_administer(postgres_server, f"CREATE DATABASE {database}"))
    port = postgres_server.local.port
    places = Places(folder, {("postgres", 5432): port}, {f":{port}/clarion": f":{port}/{database}"})
    engine = Engine(
        # The server that stands for the deployment's has a password already.
        {**compose_file.read_env(env_file), "CLARION_POSTGRES_PASSWORD": postgres_server.local.password},
        built,
        places,
        hub_binary(ROOT / "build", print),
        lambda name: _move_hub(places) if name == "centrifugo-config" else None,
    )
    try:
        engine.up()
        yield engine
    finally:
        engine.down()
        in_thread(_administer(postgres_server, f"DROP DATABASE {database} WITH (FORCE)"))


def _move_hub(places: Places) -> None:
    """Give the hub, whose address comes from a file, the port that stands for its own."""
    file = places.volume("centrifugo") / "centrifugo.json"
    config = json.loads(file.read_text())
    assert config["http_server"] == {"address": "0.0.0.0", "port": _CENTRIFUGO_PORT}
    config["http_server"] = {"address": "127.0.0.1", "port": places.port("centrifugo", _CENTRIFUGO_PORT)}
    file.write_text(json.dumps(config))


async def _administer(server: PostgresServer, statement: str) -> None:
    admin = await asyncio.wait_for(asyncpg.connect(server.local.url("postgres")), 60)
    try:
        await admin.execute(statement)
    finally:
        await admin.close()
