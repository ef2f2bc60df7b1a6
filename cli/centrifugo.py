"""`clarion centrifugo-config`: a safe centrifugo.json for a deployment."""

import msgspec

from runtime.settings import Secret
from services.realtime import centrifugo


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Read from CLARION_<NAME>."""

    centrifugo_token_secret: Secret
    centrifugo_api_key: Secret
    # Of the pages that connect, such as https://app.example.com.
    allowed_origins: tuple[str, ...]
    centrifugo_port: int = 8000


def rendered(settings: Settings) -> str:
    """Return the file's content. Raises ValueError with a sentence where it would be unsafe."""
    config = centrifugo.configuration(
        address="0.0.0.0",  # for a container, where the network decides who reaches it
        port=settings.centrifugo_port,
        token_secret=settings.centrifugo_token_secret.reveal(),
        api_key=settings.centrifugo_api_key.reveal(),
        allowed_origins=settings.allowed_origins,
    )
    if faults := centrifugo.unsafe_settings(config):
        raise ValueError(" ".join(faults))
    return msgspec.json.format(msgspec.json.encode(config)).decode()
