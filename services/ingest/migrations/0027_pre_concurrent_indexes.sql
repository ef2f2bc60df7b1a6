-- concurrently
-- Tables that may be large, and are written while the indexes are built.

CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_actor ON ingest.audit (actor, id);

CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_actor_email ON ingest.audit (lower(actor_email), id)
    WHERE actor_email <> '';

CREATE INDEX CONCURRENTLY IF NOT EXISTS dead_letters_tenant ON ingest.dead_letters (tenant_id, died_at, delivery_id)
    WHERE replayed_at IS NULL;
