"""What the service reads from its environment."""

import pytest

from runtime.settings import SettingsError, load
from services.realtime.settings import Settings

_ENVIRONMENT = {
    "CLARION_GRPC_ADDRESS": "127.0.0.1:1",
    "CLARION_SERVICE_TOKEN": "t",
    "CLARION_POSTGRES_URL": "postgresql://",
    "CLARION_NATS_URL": "nats://",
    "CLARION_RENDER_ADDRESS": "127.0.0.1:2",
    "CLARION_INGEST_ADDRESS": "127.0.0.1:3",
    "CLARION_CENTRIFUGO_URL": "http://127.0.0.1:4",
    "CLARION_CENTRIFUGO_API_KEY": "k",
    "CLARION_CENTRIFUGO_TOKEN_SECRET": "s" * 32,
    "CLARION_PRINCIPAL_SECRET": "p" * 32,
    "CLARION_PSEUDONYM_KEY": "k" * 32,
}


def test_the_environment_is_read_whole() -> None:
    """Delays as everywhere else, in seconds."""
    settings = load(Settings, {**_ENVIRONMENT, "CLARION_RETRY_DELAYS_S": "0.5, 2"})
    assert settings.retry_delays_s == (0.5, 2.0)
    assert settings.principal_secret.reveal() == "p" * 32


@pytest.mark.parametrize("name", ["CLARION_CENTRIFUGO_TOKEN_SECRET", "CLARION_PRINCIPAL_SECRET"])
def test_a_short_secret_is_refused_by_name(name: str) -> None:
    """A token or a name made with it could be guessed."""
    with pytest.raises(SettingsError, match=f"{name} must have at least 32 bytes"):
        load(Settings, {**_ENVIRONMENT, name: "s" * 31})
