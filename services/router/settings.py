"""The router's settings, read from the environment."""

from runtime.service import ProcessSettings
from runtime.settings import Secret, Servers


class Settings(ProcessSettings, frozen=True, kw_only=True):
    """See runtime.service.ProcessSettings for the rest."""

    postgres_url: Secret
    nats_url: Secret
    ingest_address: Servers
    render_address: Servers
    senders_address: Servers
    # Makes the digests of suppressed addresses; at least 32 bytes. With another key no suppression is found.
    pseudonym_key: Secret
