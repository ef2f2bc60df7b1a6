-- Further keys of a tenant, each with what it is good for. A tenant's own key has no id: it is good for everything.
-- revoked_at of a further key is 'infinity' while it is valid: so processes of the version before, which know nothing of
-- kinds, scopes and ends, take it for revoked, and do not publish it.
ALTER TABLE ingest.api_keys
    ADD COLUMN id uuid,
    ADD COLUMN name text NOT NULL DEFAULT '',
    ADD COLUMN kind text NOT NULL DEFAULT 'api',
    -- Of events; empty: all.
    ADD COLUMN scopes text[] NOT NULL DEFAULT '{}',
    -- Null: it does not end.
    ADD COLUMN expires_at timestamptz;
