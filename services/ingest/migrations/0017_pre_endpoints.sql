-- Keys that are disabled, that only send to some endpoints, or that have rates of their own; and what a tenant may send to
-- endpoints.
--
-- revoked_at of a key that is disabled or only for some endpoints is '-infinity' while it is not revoked: so processes of
-- the version before, which know of neither, take it for revoked, as those before migration 0012 took all further keys.
ALTER TABLE ingest.api_keys
    ADD COLUMN disabled boolean NOT NULL DEFAULT false,
    -- The only ones that it may send to; empty: any.
    ADD COLUMN endpoint_ids uuid[] NOT NULL DEFAULT '{}',
    -- A list of {scope, window_s, kind, bound}, as in tenants.key_rates.
    ADD COLUMN rates jsonb NOT NULL DEFAULT '[]';

ALTER TABLE ingest.tenants
    -- The rates of all keys of the tenant that are not revoked, so that admission reads them with the tenant's own. The
    -- scope of each is chr(1) and the key's id.
    ADD COLUMN key_rates jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN max_payload_bytes integer NOT NULL DEFAULT 262144,
    ADD COLUMN max_parked_per_endpoint integer NOT NULL DEFAULT 100000;
