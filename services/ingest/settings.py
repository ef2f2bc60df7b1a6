"""What ingest reads from the environment."""

from runtime.service import ProcessSettings
from runtime.settings import Secret


class Settings(ProcessSettings, frozen=True, kw_only=True):
    """See runtime.service.ProcessSettings for the rest."""

    postgres_url: Secret
    nats_url: Secret
    # How long entries of the audit log are kept, days; 0: for ever.
    audit_retention_days: int = 400
