-- In a transaction of its own: it reads the whole tables, and only the ledger's writing waits for it, not its readers.
-- Deliveries of other channels (4: WEBHOOK) and events without labels are in none of these indexes.

-- An endpoint's deliveries, and a tenant's, in the order in which their events were accepted: ids of events begin with
-- the time. By status only what is not sent yet or is in trouble: the others are most of them.
CREATE INDEX deliveries_endpoint ON ingest.deliveries (endpoint_id, event_id, id) WHERE channel = 4;
CREATE INDEX deliveries_endpoint_status ON ingest.deliveries (endpoint_id, status, event_id, id)
    WHERE channel = 4 AND status NOT IN (4, 5);
CREATE INDEX deliveries_webhooks ON ingest.deliveries (tenant_id, event_id, id) WHERE channel = 4;
CREATE INDEX deliveries_webhooks_status ON ingest.deliveries (tenant_id, status, event_id, id)
    WHERE channel = 4 AND status NOT IN (4, 5);
-- An event may have thousands of attempts, those of each of its endpoints.
CREATE INDEX attempts_webhooks ON ingest.attempts (delivery_id) WHERE channel = 4;
CREATE INDEX events_metadata ON ingest.events USING gin (metadata jsonb_path_ops) WHERE metadata IS NOT NULL;
