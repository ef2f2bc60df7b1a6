-- In a transaction of its own: it reads the whole tables, and only the ledger's writing waits for it, not its readers.

-- In the ledger's order, before anything is read: a lock that is waited for later could deadlock with its writing.
LOCK TABLE ingest.recipients, ingest.events, ingest.deliveries IN SHARE MODE;

-- Events that are under way, without those that wait for their time: the oldest of a tenant.
CREATE INDEX events_open ON ingest.events (tenant_id, id)
    WHERE finished_at IS NULL AND (due_at IS NULL OR routed_at IS NOT NULL);
-- Of texts that may have any length only a digest is in the index; queries compare both.
CREATE INDEX events_trace ON ingest.events (hashtextextended(trace_id, 0)) WHERE trace_id <> '';
CREATE INDEX recipients_email ON ingest.recipients (hashtextextended(addresses ->> 'email', 0), event_id)
    WHERE addresses ->> 'email' IS NOT NULL;
CREATE INDEX recipients_sms ON ingest.recipients (hashtextextended(addresses ->> 'sms', 0), event_id)
    WHERE addresses ->> 'sms' IS NOT NULL;
-- A tenant's deliveries with this reason, newest first; those without a reason are most of them.
CREATE INDEX deliveries_reason ON ingest.deliveries (tenant_id, reason, event_id) WHERE reason <> '';
-- 1 queued, 4 sent and 5 delivered are most of them.
CREATE INDEX deliveries_trouble_of_tenant ON ingest.deliveries (tenant_id, status, event_id)
    WHERE status NOT IN (1, 4, 5);
-- Events of which nothing is sent, by the reason.
CREATE INDEX events_reason ON ingest.events (tenant_id, route_reason, id) WHERE route_reason <> '' AND total = 0;
-- Only of rows that versions before migration 0013 wrote.
CREATE INDEX events_old_email ON ingest.events (email, id) WHERE email <> '';
CREATE INDEX events_old_phone ON ingest.events (phone, id) WHERE phone <> '';
