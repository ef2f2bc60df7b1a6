-- Every write of the admin API: begun before it happens, finished with what was answered.

CREATE TABLE ingest.audit (
    -- UUIDv7: in order of time.
    id uuid PRIMARY KEY,
    actor text NOT NULL,
    method text NOT NULL,
    route text NOT NULL,
    resource text NOT NULL,
    tenant_id text NOT NULL DEFAULT '',
    fields text[] NOT NULL DEFAULT '{}',
    trace_id text NOT NULL,
    -- 0: not known.
    status smallint NOT NULL DEFAULT 0,
    begun_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
CREATE INDEX audit_begun ON ingest.audit (begun_at);
CREATE INDEX audit_tenant ON ingest.audit (tenant_id, id) WHERE tenant_id <> '';
CREATE INDEX audit_resource ON ingest.audit (resource, id) WHERE resource <> '';
