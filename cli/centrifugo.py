"""`clarion centrifugo-config`: a safe centrifugo.json for a deployment."""

import msgspec

from runtime.settings import Secret
from services.realtime import centrifugo


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of the command; each is read from the environment variable CLARION_<NAME>."""

    centrifugo_token_secret: Secret
    centrifugo_api_key: Secret
    # The origins of the pages that connect, such as https://app.example.com.
    allowed_origins: tuple[str, ...]
    centrifugo_port: int = 8000


def rendered(settings: Settings) -> str:
    """Return the content of the file. Raises ValueError with the reason if it would be unsafe."""
    config = centrifugo.configuration(
        address="0.0.0.0",  # for a container, whose network restricts access
        port=settings.centrifugo_port,
        token_secret=settings.centrifugo_token_secret.reveal(),
        api_key=settings.centrifugo_api_key.reveal(),
        allowed_origins=settings.allowed_origins,
    )
    if faults := centrifugo.unsafe_settings(config):
        raise ValueError(" ".join(faults))
    return msgspec.json.format(msgspec.json.encode(config)).decode()
