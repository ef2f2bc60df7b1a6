"""Ingest's settings, read from the environment."""

from typing import Annotated

import msgspec

from runtime.service import ProcessSettings
from runtime.settings import Secret, Servers


class Settings(ProcessSettings, frozen=True, kw_only=True):
    """See runtime.service.ProcessSettings for the rest."""

    postgres_url: Secret
    nats_url: Secret
    # The router, which stores endpoints. Empty: an endpoint that is not in this process's copy is not asked for, and no
    # replay sends an endpoint what it has missed.
    router_address: Servers = ""
    # Comma-separated base64 of 32 bytes each; the first encrypts, all decrypt.
    encryption_keys: Secret
    # Makes the digests of erased people; at least 32 bytes. With another key no erasure is found.
    pseudonym_key: Secret
    # How long an event waits for PostgreSQL to admit it, seconds; then each process counts and admits for itself.
    admission_deadline_s: Annotated[float, msgspec.Meta(ge=0.1, le=60)] = 2.0
    # How long events and what they carried are kept where a tenant has no policy of its own, days.
    events_keep_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 90
    payloads_keep_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 30
    # How long entries of the audit log are kept, days; 0: for ever.
    audit_retention_days: int = 400
    # A membership in an account reaches all of its tenants, at most console_users.store.MAX_TENANTS of them.
    tenants_per_account: Annotated[int, msgspec.Meta(ge=1, le=2000)] = 1000
