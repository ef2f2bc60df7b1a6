-- concurrently
-- Tables that may be large, and are written while the indexes are built. An update of a row keeps all its index entries
-- unless it changes a column that an index names: a plan sets routed_at and total, so no index names these.

-- Events that are under way, without those that wait for their time: the oldest of a tenant.
CREATE INDEX CONCURRENTLY IF NOT EXISTS events_open ON ingest.events (tenant_id, id)
    WHERE finished_at IS NULL AND due_at IS NULL;

-- Events that wait for their time, or are under way since.
CREATE INDEX CONCURRENTLY IF NOT EXISTS events_due ON ingest.events (tenant_id, due_at)
    WHERE finished_at IS NULL AND due_at IS NOT NULL;

-- Of texts that may have any length only a digest is in the index; queries compare both.
CREATE INDEX CONCURRENTLY IF NOT EXISTS events_trace ON ingest.events (hashtextextended(trace_id, 0))
    WHERE trace_id <> '';

CREATE INDEX CONCURRENTLY IF NOT EXISTS recipients_email
    ON ingest.recipients (hashtextextended(addresses ->> 'email', 0), event_id)
    WHERE addresses ->> 'email' IS NOT NULL;

CREATE INDEX CONCURRENTLY IF NOT EXISTS recipients_sms
    ON ingest.recipients (hashtextextended(addresses ->> 'sms', 0), event_id)
    WHERE addresses ->> 'sms' IS NOT NULL;

-- A tenant's deliveries with this reason, newest first; those without a reason are most of them.
CREATE INDEX CONCURRENTLY IF NOT EXISTS deliveries_reason ON ingest.deliveries (tenant_id, reason, event_id)
    WHERE reason <> '';

-- 1 queued, 4 sent and 5 delivered are most of them.
CREATE INDEX CONCURRENTLY IF NOT EXISTS deliveries_trouble_of_tenant
    ON ingest.deliveries (tenant_id, status, event_id)
    WHERE status NOT IN (1, 4, 5);

-- Events of which nothing is sent, by the reason.
CREATE INDEX CONCURRENTLY IF NOT EXISTS events_reason ON ingest.events (tenant_id, route_reason, id)
    WHERE route_reason <> '';

-- Only of rows that versions before migration 0013 wrote.
CREATE INDEX CONCURRENTLY IF NOT EXISTS events_old_email ON ingest.events (email, id) WHERE email <> '';

CREATE INDEX CONCURRENTLY IF NOT EXISTS events_old_phone ON ingest.events (phone, id) WHERE phone <> '';
