-- Requests of the public APIs that gateways refused: alike ones of a minute are one row.

CREATE TABLE ingest.refused_requests (
    -- UUIDv7: in the order in which they were first handed in.
    id uuid PRIMARY KEY,
    -- A keyed digest of what the refusals of a row have in common.
    kind bytea NOT NULL UNIQUE,
    -- Null: of no known tenant.
    tenant_id uuid,
    -- Of a further key.
    key_id uuid,
    -- What may be shown of the key. state: see clarion.ingest.v1.RefusedKey; empty: there was no key.
    key_prefix text NOT NULL,
    key_last4 text NOT NULL,
    key_state text NOT NULL,
    network text NOT NULL,
    method text NOT NULL,
    route text NOT NULL,
    status smallint NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    fields text[] NOT NULL,
    trace_id text NOT NULL,
    count bigint NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL
);
CREATE INDEX refused_requests_tenant ON ingest.refused_requests (tenant_id, id);
CREATE INDEX refused_requests_last ON ingest.refused_requests (last_at);
CREATE INDEX refused_requests_key ON ingest.refused_requests (key_id, id) WHERE key_id IS NOT NULL;

-- What the search over ids reads.
CREATE INDEX api_keys_last4 ON ingest.api_keys (last4);
CREATE INDEX api_keys_id ON ingest.api_keys (id) WHERE id IS NOT NULL;
CREATE INDEX tenants_name ON ingest.tenants (lower(name) text_pattern_ops);
